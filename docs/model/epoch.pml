/*
 * How one sub-range goes through its epochs: members are evicted, a learner joins and is promoted,
 * members change places, its home moves from one switch to another, while nodes crash and lose what
 * they had not synced, packets arrive late and switches learn of a change late or never. See
 * README.md for what is modelled, what is not, and how to run it.
 *
 * The sub-range holds one register. Its state after seq s is the outcome of entry s of the log, and
 * entry s is named after the write request that made it, so "the log up to s" is register, history
 * and remembered results in one.
 */

#ifndef EPOCHS
#define EPOCHS 4   /* the controller makes epochs 2 to EPOCHS */
#endif
#ifndef WRITES
#define WRITES 2   /* write requests 1 to WRITES, each of a client of its own */
#endif
#ifndef CRASHES
#define CRASHES 1  /* of nodes, in all */
#endif
#ifndef FIRST
#define FIRST 2    /* members of the first chain: nodes 0 to FIRST-1; the others may join */
#endif

#ifndef SWITCHES
#define SWITCHES 2 /* 1 or 2, each of which can be home */
#endif

#define NODES 3
#define SEQS 2     /* seqs 1 to SEQS */
#define ALL 7      /* upstream of a head: everything is durable above */

/* ---- the controller's directory ---- */
byte newest = 1;                /* the last epoch that was made */
byte chain[EPOCHS*3+3];         /* node+1 at place p of epoch e in [e*3+p], 0 beyond the tail */
byte length[EPOCHS+1];
byte learner[EPOCHS+1];         /* node+1, 0: nobody */
byte since[EPOCHS*3+3];         /* of node n in epoch e: its Assignment's Since */
byte home;                      /* bit e: switch 1 is home in epoch e, else switch 0 */
byte told = 2;                  /* bit e: nodes may be told of epoch e */
byte tails;                     /* bit n: was tail before the newest epoch, and may not know of it */
byte stampers = 1;              /* bit k: switch k may stamp something for one of tails */
byte view[2] = 1;               /* the epoch up to which a switch has been told; its answer is quick */

#define MEMBER(e, n) (chain[(e)*3]==(n)+1 || chain[(e)*3+1]==(n)+1 || chain[(e)*3+2]==(n)+1)
#define HEAD(e, n) (chain[(e)*3]==(n)+1)
#define TAIL(e, n) (chain[(e)*3+length[e]-1]==(n)+1)
#define LEARNER(e, n) (learner[e]==(n)+1)
#define BEFORE(e, p, n) (chain[(e)*3]==(p)+1 && chain[(e)*3+1]==(n)+1 || \
	chain[(e)*3+1]==(p)+1 && chain[(e)*3+2]==(n)+1)
#define MEMBERS(e) (MEMBER(e,0) | MEMBER(e,1)<<1 | MEMBER(e,2)<<2)
#define HOME(e) ((home>>(e))&1)
#define TOLD(e) ((told>>(e))&1)
#define CONFIRMED(k) (!((stampers>>(k))&1) || view[k]==newest)

/* ---- nodes ---- */
byte epoch[NODES];              /* entered; 0: none */
byte log[NODES*SEQS];           /* entry of seq s at [n*SEQS+s-1]; 0: none, or not yet known */
byte applied[NODES];
byte durable[NODES];
byte stable[NODES];             /* known to be durable at all members */
byte upstream[NODES];           /* known to be durable at all members above */
byte doubt[NODES];              /* entries up to it may have been acknowledged by another tail */
bool ready[NODES];              /* has all that its successor has */
bool linked[NODES];             /* has admitted the present life of its predecessor, or tail */
bool lost[NODES];
bool joining[NODES];            /* a learner, or not yet complete after being promoted */
bool fresh[NODES];              /* a learner that has nothing, not even a place to begin */
bool joined[NODES];             /* a learner with a complete and durable snapshot */
bool snapshot[NODES];           /* a learner that has the snapshot */
bool gate[NODES];               /* was promoted, and may lack what the old tail acknowledged */
byte hello[NODES];              /* applied of the predecessor, plus 1, of this epoch's HELLO */
#ifdef BREAK_I5
byte seen[NODES];               /* requests that this life has ordered */
#endif

#define ENTRY(n, s) log[(n)*SEQS+(s)-1]
#define HAS(n, w) (applied[n]>=1 && ENTRY(n,1)==(w) || applied[n]>=2 && ENTRY(n,2)==(w))
#define MIN(a, b) ((a)<(b) -> (a) : (b))
#define MAX(a, b) ((a)>(b) -> (a) : (b))
#define SERVES(n) (!lost[n] && ready[n] && !gate[n])

/* ---- switches and packets ----
 * A packet that was stamped once may arrive at any time, any number of times. Clients may send again
 * as long as they like. So for every epoch that any switch has ever stamped, every request is always
 * in the network. A read that was stamped must not return less than was acknowledged before: for
 * every epoch only the last moment counts in which a switch stamped it. */
#define STAMP(k) ((k)<SWITCHES && HOME(view[k])==(k) -> view[k] : 0) /* what switch k stamps */
byte stamped;                   /* bit e: some switch has stamped epoch e */
byte latest[EPOCHS+1];          /* acknowledged when its home stopped stamping epoch e */
bool begun;                     /* write 1 has been ordered; before it, the writes are alike */
byte crashes;

/* ---- what has happened, for the properties ---- */
byte committed[SEQS+1];         /* write that was acknowledged at seq */
byte acknowledged;              /* highest such seq */

/* A tail acknowledges seq s: no other write ever had this seq, none before it is missing, and no
 * write is executed twice (I3, I4, I5). */
inline commit(n, s) {
	assert(ENTRY(n,s) != 0);
	assert(committed[s] == 0 || committed[s] == ENTRY(n,s));
	assert(s == 1 || committed[s-1] != 0);
	assert(s == 1 || committed[s-1] != ENTRY(n,s));
	committed[s] = ENTRY(n,s);
	acknowledged = MAX(acknowledged, s);
}

/* ---- the controller: any change at any time that the directory allows ----
 * With a new epoch the tail of the last one joins those that may go on to answer, unless nobody was
 * told that epoch; and the earlier ones are forgotten if no switch sends them anything any more. */
#ifndef BREAK_TAILS
#define FORGET (CONFIRMED(0) && CONFIRMED(1))
#else /* the last tail is the only one that counts */
#define FORGET true
#endif
inline copy_epoch() {
	tails = (FORGET -> 0 : tails) | (TOLD(newest) -> 1<<(chain[newest*3+length[newest]-1]-1) : 0);
	newest++;
	chain[newest*3] = chain[newest*3-3];
	chain[newest*3+1] = chain[newest*3-2];
	chain[newest*3+2] = chain[newest*3-1];
	length[newest] = length[newest-1];
	learner[newest] = learner[newest-1];
	since[newest*3] = since[newest*3-3];
	since[newest*3+1] = since[newest*3-2];
	since[newest*3+2] = since[newest*3-1];
}

/* Nodes are told at once, unless somebody has left who may go on to answer reads: then when all
 * switches that may send him any have confirmed that they do not. Without reads, such a tail does no
 * harm; with them, it would not show what the new chain acknowledges, and that needs no request of the
 * new epoch: what was ordered before is enough. */
#ifndef BREAK_ORDER
#define MAYTELL ((tails & ~MEMBERS(newest))==0)
#else
#define MAYTELL true
#endif
#ifndef BREAK_STAMPERS
#define EARLIER stampers
#else /* former homes are not waited for */
#define EARLIER 0
#endif
inline publish(h) { /* the newest epoch, with this home */
	home = home | h<<newest;
	stampers = EARLIER | 1<<h;
	told = told | (MAYTELL -> 1<<newest : 0)
}

inline take_out(n) { /* of the newest chain */
	if
	:: chain[newest*3]==n+1 ->
		chain[newest*3] = chain[newest*3+1]; chain[newest*3+1] = chain[newest*3+2]
	:: chain[newest*3+1]==n+1 -> chain[newest*3+1] = chain[newest*3+2]
	:: else
	fi;
	chain[newest*3+2] = 0;
	length[newest]--;
}

#define EVICT(n, h) \
	:: d_step { newest<EPOCHS && MEMBER(newest,n) && length[newest]>1 -> \
		copy_epoch(); take_out(n); publish(h) }

inline join(n, h) {
	copy_epoch();
	learner[newest] = n+1;
	since[newest*3+n] = newest;
	publish(h)
}

#define ADDLEARNER(n, h) \
	:: d_step { newest<EPOCHS && !MEMBER(newest,n) && learner[newest]==0 -> join(n,h) }

/* The learner has reported, in the present epoch, that it has joined. */
#ifndef BREAK_JOINED
#define MAYJOIN(n) (LEARNER(newest,n) && epoch[n]==newest && joined[n] && !lost[n])
#else
#define MAYJOIN(n) (LEARNER(newest,n) && epoch[n]==newest && !lost[n])
#endif

inline append(n) {
	learner[newest] = 0;
	chain[newest*3+length[newest]] = n+1;
	length[newest]++
}

inline promote(n, h) {
	copy_epoch();
	append(n);
	publish(h)
}

#define PROMOTE(n, h) \
	:: d_step { newest<EPOCHS && MAYJOIN(n) && length[newest]<3 -> promote(n,h) }

/* ... and another leaves in the same step; the learner must not be alone. */
#define PROMOTELEAVE(n, x, h) \
	:: d_step { newest<EPOCHS && MAYJOIN(n) && MEMBER(newest,x) && length[newest]>1 -> \
		copy_epoch(); take_out(x); append(n); publish(h) }

#define REORDER(h) \
	:: d_step { newest<EPOCHS && length[newest]>1 -> /* the tail becomes head */ \
		copy_epoch(); \
			if \
			:: length[newest]==2 -> \
				chain[newest*3] = chain[newest*3-2]; chain[newest*3+1] = chain[newest*3-3] \
			:: else -> \
				chain[newest*3] = chain[newest*3-1]; chain[newest*3+1] = chain[newest*3-3]; \
				chain[newest*3+2] = chain[newest*3-2] \
			fi; \
		publish(h) }

/* All changes after which a given switch is home. It may have been before, and may be out of reach. */
#define CHANGES(h) \
	EVICT(0,h) EVICT(1,h) EVICT(2,h) \
	ADDLEARNER(0,h) ADDLEARNER(1,h) ADDLEARNER(2,h) \
	PROMOTE(0,h) PROMOTE(1,h) PROMOTE(2,h) \
	PROMOTELEAVE(0,1,h) PROMOTELEAVE(0,2,h) PROMOTELEAVE(1,0,h) \
	PROMOTELEAVE(1,2,h) PROMOTELEAVE(2,0,h) PROMOTELEAVE(2,1,h) \
	REORDER(h)

/* ---- a node is given an epoch: the newest, or an older one in a late message ---- */
inline erase(n) {
	applied[n] = 0; durable[n] = 0; stable[n] = 0; doubt[n] = 0;
	log[n*SEQS] = 0; log[n*SEQS+1] = 0;
	snapshot[n] = 0; joined[n] = 0; gate[n] = 0; lost[n] = 0;
	fresh[n] = 1; joining[n] = 1;
}

#ifndef BREAK_JOINED
#define TOOEARLY(n) (fresh[n] || !snapshot[n])
#else
#define TOOEARLY(n) false
#endif

#ifndef BREAK_SINCE
#define BELONGS(n, e) (epoch[n]!=0 && epoch[n]>=since[(e)*3+n])
#else
#define BELONGS(n, e) (epoch[n]!=0)
#endif

inline lose(n) {
	erase(n);
	fresh[n] = 0; joining[n] = 0; lost[n] = 1
}

inline configure(n, e) {
	if
	:: BELONGS(n,e) ->
		if
		:: MEMBER(e,n) && joining[n] -> /* promoted */
			if
			:: TOOEARLY(n) -> lose(n)
			:: else ->
				joining[n] = 0; joined[n] = 0; snapshot[n] = 0;
				stable[n] = MIN(stable[n], durable[n]); /* as a member counts it */
#ifndef BREAK_I6
				gate[n] = 1
#endif
			fi
		:: else -> skip
		fi
	:: else ->
		if
		:: LEARNER(e,n) -> erase(n)
		:: else -> lose(n)
		fi
	fi;
#ifdef BREAK_SINCE
	if
	:: LEARNER(e,n) && !joining[n] -> joining[n] = 1; snapshot[n] = 1; joined[n] = 1
	:: else
	fi;
#endif
	epoch[n] = e;
	begin(n);
	acknowledge(n, e)
}

/* The directory hears that the node has entered the epoch: what it would have answered in an earlier
 * one it refuses now. When none is left who would answer, whatever former homes stamp is refused. */
#ifndef BREAK_NEWTAIL
#define REFUSES(n) (1<<(n))
#else /* the new tail has entered the epoch, and speaks for all */
#define REFUSES(n) (TAIL(newest,n) -> 7 : 0)
#endif
inline acknowledge(n, e) {
	if
	:: e==newest && (tails & REFUSES(n))!=0 ->
		tails = tails & ~REFUSES(n);
		stampers = (tails==0 -> 1<<HOME(newest) : stampers)
	:: else
	fi
}

/* links start anew; what is beyond the stable mark may have been acknowledged by whoever was tail */
inline begin(n) {
	linked[n] = 0;
	hello[n] = 0;
#ifndef BREAK_DOUBT
	doubt[n] = (TAIL(epoch[n],n) && stable[n]<applied[n] -> applied[n] : 0);
#endif
	upstream[n] = (HEAD(epoch[n],n) -> ALL : stable[n]);
	ready[n] = TAIL(epoch[n],n)
}

#define CONFIGURE(n, e) \
	:: d_step { e<=newest && e>epoch[n] && (MEMBER(e,n) || LEARNER(e,n)) && \
		TOLD(e) -> configure(n,e) }

/* ---- disks and crashes ---- */
#define SYNC(n) \
	:: d_step { durable[n]<applied[n] -> durable[n] = applied[n]; joined[n] = snapshot[n] }

/* A node loses what it had not synced; its neighbours hear of a new life. */
inline restart(n) {
	crashes++;
	applied[n] = durable[n];
	if
	:: durable[n]==0 -> log[n*SEQS] = 0; log[n*SEQS+1] = 0
	:: durable[n]==1 -> log[n*SEQS+1] = 0
	:: else
	fi;
	stable[n] = MIN(stable[n], durable[n]);
	if
	:: joining[n] && !joined[n] -> erase(n)
	:: else
	fi;
#ifdef BREAK_I5
	seen[n] = 0;
#endif
	begin(n);
	unlink(n, 0); unlink(n, 1); unlink(n, 2)
}

inline unlink(n, m) {
	if
	:: linked[m] && epoch[m]==epoch[n] && (BEFORE(epoch[n],n,m) || LEARNER(epoch[n],m) &&
		TAIL(epoch[n],n)) -> linked[m] = 0
	:: else
	fi
}

#define CRASH(n) \
	:: d_step { crashes<CRASHES && epoch[n]!=0 && !lost[n] -> restart(n) }

/* ---- links between neighbours of one epoch: p before n ---- */
#ifndef BREAK_I1
#define NEIGHBOURS(p, n) (epoch[p]!=0 && epoch[p]==epoch[n] && BEFORE(epoch[n],p,n) && \
	!lost[p] && !lost[n])
#else /* chain messages of any epoch are taken */
#define NEIGHBOURS(p, n) (epoch[p]!=0 && BEFORE(epoch[p],p,n) && epoch[n]!=0 && \
	!lost[p] && !lost[n])
#endif

/* HELLO, WELCOME, and if the predecessor has less, FETCH and ENTRIES, up to READY. A HELLO of one
 * that may itself lack something says nothing about what was acknowledged. */
#ifndef BREAK_HELLO
#define COMPLETE(p) (!gate[p])
#else
#define COMPLETE(p) true
#endif
inline open_link(p, n) {
	linked[n] = 1;
	hello[n] = (gate[n] && COMPLETE(p) -> applied[p]+1 : 0);
	if
	:: applied[p]<1 && applied[n]>=1 -> ENTRY(p,1) = ENTRY(n,1)
	:: else
	fi;
	if
	:: applied[p]<2 && applied[n]>=2 -> ENTRY(p,2) = ENTRY(n,2)
	:: else
	fi;
	applied[p] = MAX(applied[p], applied[n]);
	if
	:: gate[p] && COMPLETE(n) -> hello[p] = applied[p]+1
	:: else
	fi;
	ready[p] = 1
}

#ifndef BREAK_I3
#define NEXTFROM(p, n) ENTRY(n,applied[n]+1) = ENTRY(p,applied[n]+1); applied[n]++
#else /* the latest entry is taken, whatever is missing */
#define NEXTFROM(p, n) ENTRY(n,applied[p]) = ENTRY(p,applied[p]); applied[n] = applied[p]
#endif

#define MARK(p) MIN(upstream[p], durable[p])

#define LINK(p, n) \
	:: d_step { NEIGHBOURS(p,n) && !linked[n] && ready[n] -> open_link(p,n) } \
	:: d_step { NEIGHBOURS(p,n) && linked[n] && ready[p] && applied[p]>applied[n] -> /* UPDATE */ \
		NEXTFROM(p,n) } \
	:: d_step { NEIGHBOURS(p,n) && linked[n] && ready[p] && upstream[n]<MARK(p) -> /* its mark */ \
		upstream[n] = MARK(p) } \
	:: d_step { NEIGHBOURS(p,n) && linked[n] && ready[p] && stable[p]<MIN(stable[n],durable[p]) -> /* ACK */ \
		stable[p] = MIN(stable[n], durable[p]); \
			upstream[p] = MAX(upstream[p], stable[p]) }

/* ---- the tail ---- */
#ifndef BREAK_I4
#define DONE(n) MIN(upstream[n], durable[n])
#else
#define DONE(n) durable[n]
#endif
#define COMMIT(n) \
	:: d_step { epoch[n]!=0 && TAIL(epoch[n],n) && !lost[n] && stable[n]<DONE(n) -> \
		stable[n]++; commit(n, stable[n]); \
			doubt[n] = (stable[n]>=doubt[n] -> 0 : doubt[n]) }

/* The gate of a promoted learner: what the old tail may have acknowledged was in the predecessor's
 * log when that entered the epoch, and is in that of a complete successor. It must be durable before
 * the gate is forgotten, and is in doubt until this member knows that it is committed. */
#ifndef BREAK_GATECRASH
#define PASSED(n) (durable[n]+1>=hello[n])
#else
#define PASSED(n) (applied[n]+1>=hello[n])
#endif
#define GATE(n) \
	:: d_step { gate[n] && !lost[n] && hello[n]!=0 && PASSED(n) -> \
		gate[n] = 0; hello[n] = 0; SETDOUBT(n) }
#ifndef BREAK_GATEDOUBT
#define SETDOUBT(n) doubt[n] = (TAIL(epoch[n],n) && stable[n]<applied[n] -> applied[n] : 0)
#else
#define SETDOUBT(n) skip
#endif

/* ---- the learner d of the tail t ---- */
#define FOLLOWS(d, t) (epoch[d]!=0 && epoch[d]==epoch[t] && LEARNER(epoch[d],d) && \
	TAIL(epoch[d],t) && !lost[d] && !lost[t])

inline open_join(d, t) {
	linked[d] = 1;
	if
	:: fresh[d] -> fresh[d] = 0; applied[d] = stable[t]; durable[d] = stable[t]
	:: else
	fi;
	assert(applied[d] <= applied[t]);
	do /* all that a learner has is stable; a new tail may not know yet */
	:: stable[t]<MIN(applied[d],durable[t]) -> stable[t]++; commit(t, stable[t])
	:: else -> break
	od;
	doubt[t] = (stable[t]>=doubt[t] -> 0 : doubt[t])
}

#ifndef BREAK_STABLE
#define GIVES(t) stable[t]
#else /* what is not stable can be lost by all members */
#define GIVES(t) applied[t]
#endif

#define JOIN(d, t) \
	:: d_step { FOLLOWS(d,t) && !linked[d] -> open_join(d,t) } \
	:: d_step { FOLLOWS(d,t) && linked[d] && applied[d]<GIVES(t) -> /* UPDATE */ \
		ENTRY(d,applied[d]+1) = ENTRY(t,applied[d]+1); applied[d]++; stable[d] = applied[d] } \
	:: d_step { FOLLOWS(d,t) && linked[d] && !snapshot[d] && stable[t]==applied[d] -> /* SNAPSHOT */ \
		snapshot[d] = 1; stable[d] = applied[d]; joined[d] = (durable[d]==applied[d]); \
			ENTRY(d,1) = (applied[d]>=1 -> ENTRY(t,1) : 0); \
			ENTRY(d,2) = (applied[d]>=2 -> ENTRY(t,2) : 0) }

/* ---- requests ---- */
#ifndef BREAK_I1
#define ASHEAD(n) (HEAD(epoch[n],n) && (stamped>>epoch[n])&1)
#else /* whoever gets a request serves it */
#define SENTTO(e, n) ((stamped>>(e))&1 && HEAD(e,n))
#define ASHEAD(n) (SENTTO(1,n) || SENTTO(2,n) || SENTTO(3,n))
#endif

#ifndef BREAK_I5
#define KNOWN(n, w) HAS(n,w)
#define REMEMBER(n, w) skip
#else /* a node remembers only what it has ordered itself */
#define KNOWN(n, w) ((seen[n]>>(w))&1)
#define REMEMBER(n, w) seen[n] = seen[n] | (1<<(w))
#endif

#define WRITE(n, w) \
	:: d_step { epoch[n]!=0 && ASHEAD(n) && SERVES(n) && !KNOWN(n,w) && applied[n]<SEQS && (w==1 || begun) -> \
		applied[n]++; ENTRY(n,applied[n]) = w; REMEMBER(n,w); begun = 1 }

/* A read returns the committed state, and none if it is in doubt which that is (I7). Reads change
 * nothing, so only what they must not do is a step. */
#ifndef BREAK_I7
#define SEES(n) stable[n]
#else
#define SEES(n) applied[n]
#endif
#define STAMPS(e) (STAMP(0)==(e) || STAMP(1)==(e))
#define FLOOR(e) (STAMPS(e) -> acknowledged : latest[e])
#define READS(n) (epoch[n]!=0 && TAIL(epoch[n],n) && (stamped>>epoch[n])&1 && SERVES(n) && \
	doubt[n]==0)
#define READ(n) \
	:: READS(n) && SEES(n)<FLOOR(epoch[n]) -> assert(false /* stale read */) \
	:: READS(n) && SEES(n)>acknowledged -> assert(false /* read of what is not acknowledged */) \
	:: READS(n) && SEES(n)!=0 && committed[SEES(n)]!=ENTRY(n,SEES(n)) -> \
		assert(false /* read of what nobody wrote */) \
	REACH(n)

#ifdef REACH_JOIN /* a promoted learner serves what was acknowledged before it came */
#define REACH(n) :: READS(n) && n==2 && SEES(n)==SEQS && since[epoch[n]*3+2]>1 && \
	length[epoch[n]]>1 -> assert(false)
#else
#ifdef REACH_ALONE /* and goes on when all others have left */
#define REACH(n) :: READS(n) && n==2 && SEES(n)==SEQS && since[epoch[n]*3+2]>1 && \
	length[epoch[n]]==1 -> assert(false)
#else
#ifdef REACH_AWAY /* two epochs are served after the home was lost, and it stamps the first as ever */
#define REACH(n) :: READS(n) && epoch[n]==3 && view[0]==1 && SEES(n)==SEQS -> assert(false)
#else
#define REACH(n)
#endif
#endif
#endif

/* ---- switches: one that is told of an epoch stamps it if it is its home, and else nothing. Any may
 * be out of reach for as long as it likes, and goes on to stamp what it stamps. ---- */
inline hear(k, e) {
	latest[STAMP(k)] = acknowledged; /* at 0 nobody looks */
	view[k] = e;
	stamped = stamped | (HOME(e)==k -> 1<<e : 0);
	stampers = (e==newest && HOME(e)!=k -> stampers & ~(1<<k) : stampers);
	if
	:: !TOLD(newest) && CONFIRMED(0) && CONFIRMED(1) ->
		told = told | 1<<newest;
		tails = 0
	:: else
	fi
}

#ifndef BREAK_LATE
#define LATER(k, e) (view[k]<(e))
#else /* a late message may bring an earlier epoch back */
#define LATER(k, e) (view[k]!=(e))
#endif
#define HEAR(k, e) \
	:: d_step { e<=newest && LATER(k,e) -> hear(k,e) }

init {
	d_step {
		chain[3] = 1; chain[4] = (FIRST>1 -> 2 : 0); chain[5] = (FIRST>2 -> 3 : 0);
		length[1] = FIRST;
		since[3] = 1; since[4] = chain[4]!=0; since[5] = chain[5]!=0;
		stamped = 2;
		epoch[0] = 1; begin(0);
#if FIRST > 1
		epoch[1] = 1; begin(1);
#endif
#if FIRST > 2
		epoch[2] = 1; begin(2);
#endif
		skip
	};
	do
#ifdef TWO_JOINS /* one after the other, and then the only one who had everything is evicted */
	:: d_step { newest==1 -> join(1,0) }
	:: d_step { newest==2 && MAYJOIN(1) -> promote(1,0) }
	:: d_step { newest==3 -> join(2,0) }
	:: d_step { newest==4 && MAYJOIN(2) -> promote(2,0) }
	:: d_step { newest==5 -> copy_epoch(); take_out(0); publish(0) }
#else
	CHANGES(0)
#if SWITCHES > 1
	CHANGES(1)
#endif
#endif
	CONFIGURE(0,2) CONFIGURE(1,2) CONFIGURE(2,2)
	CONFIGURE(0,3) CONFIGURE(1,3) CONFIGURE(2,3)
#if EPOCHS > 3
	CONFIGURE(0,4) CONFIGURE(1,4) CONFIGURE(2,4)
#endif
#if EPOCHS > 4
	CONFIGURE(0,5) CONFIGURE(1,5) CONFIGURE(2,5)
#endif
#if EPOCHS > 5
	CONFIGURE(0,6) CONFIGURE(1,6) CONFIGURE(2,6)
#endif
	SYNC(0) SYNC(1) SYNC(2)
	CRASH(0) CRASH(1) CRASH(2)
	LINK(0,1) LINK(0,2) LINK(1,0) LINK(1,2) LINK(2,0) LINK(2,1)
	COMMIT(0) COMMIT(1) COMMIT(2)
	GATE(0) GATE(1) GATE(2)
	JOIN(0,1) JOIN(0,2) JOIN(1,0) JOIN(1,2) JOIN(2,0) JOIN(2,1)
	WRITE(0,1) WRITE(1,1) WRITE(2,1)
#if WRITES > 1
	WRITE(0,2) WRITE(1,2) WRITE(2,2)
#endif
	READ(0) READ(1) READ(2)
	HEAR(0,1) HEAR(0,2) HEAR(0,3) HEAR(0,4) HEAR(0,5) HEAR(0,6)
#if SWITCHES > 1
	HEAR(1,1) HEAR(1,2) HEAR(1,3) HEAR(1,4) HEAR(1,5) HEAR(1,6)
#endif
	od
}
