// Package trace shows over HTTP what packets meet in a switch.
//
//	GET /trace?ipv4.dst_addr=10.0.1.2&port=3&limit=10
//
// streams one JSON object per line for each received frame that meets all parameters, see [Line];
// jq reads it well. Parameters are
//
//	HEADER.FIELD=VALUE        a field of an extracted header: a number (decimal or 0x...), an IP
//	                          address or a MAC address; VALUE/BITS compares only its first bits
//	port=NUMBER               where the frame came in; may be repeated
//	bytes=OFFSET:HEX          bytes of the frame as it came in; may be repeated
//	limit=NUMBER              ends the stream after so many frames
//
// The status is 200 as soon as frames are being followed. The stream never holds the switch up: what
// a slow reader does not take is lost, and the next line says how many were. It lasts over changes of
// the pipeline as long as the fields exist. [Follow] is the other side.
package trace
