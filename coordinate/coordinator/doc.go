// Package coordinator holds the ways to coordinate that the switch is compared with, each as a
// transport.Conn around another one, so that neither the client library nor the storage node knows
// of them:
//
//	                 client                  who resolves          packets of a GET
//	switch-driven    as it is                the switch            client - tail - client
//	client-driven    NewClient               the client            client - tail - client
//	master-driven    NewAsker                a master (Master)     and to the master and back before
//	server-driven    NewSpray                any node (NewNode)    client - node - tail - client
//
// The switch is on every dash. Where it does not resolve, all packets are plain IPv4 to it.
//
// A Cache keeps the partition map of each that resolves: it is fetched from the controller every
// second, and at once when a node has refused what the map said. A client that does not resolve
// itself writes what was refused into the sub-range and epoch of its next requests, where a switch
// would overwrite it: so whoever resolves them learns that its map is old.
package coordinator
