// Package command is the command line of turbokv: one file per command. Commands parse flags, call
// the rooms that do the work, and print; they decide nothing.
//
// Exit codes are part of the interface and stand in exit.go and in the help of the root command.
package command
