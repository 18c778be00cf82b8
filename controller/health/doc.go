// Package health decides which storage nodes have failed. It is a pure state machine: signs of life
// and of trouble go in with their time, probes and verdicts come out.
//
// A node is in one of four states:
//
//	absent      known from the store, has not spoken yet; it has SessionPatience to do so
//	alive       has a session and says something in it at least every Missed beats
//	suspected   its session closed, its beats are missing or its port is down: it is probed through
//	            the switch every ProbeEvery
//	failed      did not answer for ProbePatience, or had no session for SessionPatience
//
// An answer to a probe ends a suspicion that rests on missing beats or on a port. A node without a
// session stays suspected and goes on being probed until it comes back: it works, but cannot be
// given a new epoch, so it fails in the end.
//
// Where sessions do not go through the network of the requests, nodes are probed also while they beat,
// and one that leaves that unanswered for DataPatience is suspected as well, so that a rack whose switch
// is dead is lost although its nodes speak. When most nodes do not answer, the carrier of the probes is
// suspected instead (see data.go).
//
// A detector that sees nobody judges nobody. A node is failed only when another one is alive and was
// heard from well after the suspicion began (the witness), and when the detector itself was awake:
// inputs that come much later than NextTick, and the first sign of life after a time without any,
// give everybody a fresh start. So neither a pause of the controller nor a cut of its network ever
// fails all nodes at once; what fails then is nobody, and Blind says so. The price is that the last
// node of a cluster, and all nodes that die in the same moment, stay suspected.
//
// Failing a node that lives is safe, because evicting it raises the epoch (I1, I2). It only costs a
// repair.
package health
