// Package realswitch holds no code, but the test that runs a whole cluster as an operator would:
// processes of the turbokv program in network namespaces, cabled with veth pairs to a switch. The
// switch is simple_switch_grpc where that is on PATH and always also the built-in one, in the same
// topology and under the same controller. The test needs root on Linux and the ip command.
package realswitch
