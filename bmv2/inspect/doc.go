// Package inspect says what a program for the switch consists of, and what of it the switch refuses:
// "turbokv switch check". It is pure.
//
// The decoder and the compiler stop at the first construct that they do not know. To name more than
// one, [Program] takes the construct out and tries again: it removes calls of a primitive, instances
// of an extern, attributes, and at last whole bodies of actions and parser states. What else such a
// body has to refuse is not seen, so the list may be shorter than the truth, never longer: each
// refusal was reported for code that stands in the program.
package inspect
