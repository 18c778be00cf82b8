// Package cluster runs a whole TurboKV cluster in one process without privileges: the built-in switch,
// the controller that programs it over P4Runtime on the loopback interface, and storage nodes that
// hang on in-memory ports of the switch. It is what "turbokv up", "turbokv demo" and the examples
// of clientlib use, and a program may embed it for its tests.
//
//	c, err := cluster.Start(ctx, cluster.Config{})
//	...
//	defer c.Close()
//	err = c.CreateKeyspace(ctx, admin.KeyspaceSpec{Name: "users", ...})
//	client, err := c.Dial(ctx, "users")
//
// Nothing in it is a mock: packets pass the P4 program, the controller knows the switch by
// P4Runtime only, and nodes with a data directory sync it.
package cluster
