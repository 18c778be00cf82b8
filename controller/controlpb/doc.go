// Package controlpb is the protocol between storage nodes and the controller: control.proto, the Go
// code that protoc makes of it, and the translation between its messages and the nouns of package
// kv. The story of a session stands on top of control.proto.
//
// It is imported by both sides and therefore imports neither.
package controlpb
