// Package p4rt is a P4Runtime client that speaks in names. Tables, fields, actions, counters and
// digests are found in P4Info by alias or by full name, values are canonical byte strings of
// package tables, and what does not fit the program is refused here, with the valid choices, before
// a switch sees it.
//
// A Client keeps one switch: it connects, takes part in the arbitration, makes sure that the right
// pipeline runs, and only then calls the work function, with a Session and a context. When primacy
// or the connection is lost, the context is cancelled, and when the work has returned, the client
// waits for primacy or connects again. So work runs only while this client may write, and always
// begins by looking at what the switch holds.
//
// A pipeline that runs already is never pushed again: its cookie is a hash of the program, and a
// controller that restarts must not disturb traffic.
package p4rt
