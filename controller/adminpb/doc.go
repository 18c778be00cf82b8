// Package adminpb is the service that operators use: admin.proto and the Go code that protoc makes
// of it. Programs use it through package admin, which speaks in the nouns of package kv.
package adminpb
