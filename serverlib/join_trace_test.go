package serverlib_test

// learn makes a node the learner of the sub-range, in place of another: "learn n4", or "learn" for
// nobody; "learn 8 n4" of another sub-range.
func (tr *trace) learn(args []string) {
	a := next(tr.a)
	if len(args) > 0 && args[0][0] != 'n' {
		a, args = next(tr.sub(args[0])), args[1:]
	}
	a.Learner = 0
	if len(args) > 0 {
		a.Learner = tr.chain(args)[0]
		tr.add(a.Learner)
		tr.since[a.Learner] = a.Epoch
	}
	tr.keep(a)
	tr.assign(a)
}

// promote makes the learner a member of a chain: "promote n1 n2 n4". Nodes that are named behind
// "to" are told, else all: "promote n1 n2 n4 to n2".
func (tr *trace) promote(args []string) {
	a := next(tr.a)
	told := args
	for i, word := range args {
		if word == "to" {
			args, told = args[:i], args[i+1:]
			break
		}
	}
	a.Learner, a.Chain = 0, tr.chain(args)
	tr.keep(a)
	tr.tellAll(a, told)
}
