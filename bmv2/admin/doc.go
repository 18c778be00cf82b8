// Package admin shows a running switch over HTTP, and connects and disconnects its ports, for what
// P4Runtime has no words for.
//
//	GET    /ports          all ports: where they lead, whether they are up, counters
//	POST   /ports          {"port": "3@veth2"} connects one, see port.ParseSpec
//	DELETE /ports/3        disconnects one
//	GET    /tables         all tables, with how many entries they have and may have
//
// Answers are JSON; errors are {"error": TEXT}. Whoever may change ports can make the switch listen to
// any network interface of the machine: [Config].MayChange is meant for a loopback address. Requests
// of web pages are refused then, since browsers run on that machine too. [Client] is the other side.
package admin
