package coordinate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/wire"
)

// TestAskingAMasterComesToTheSame compares a client that asks with one that resolves itself.
func TestAskingAMasterComesToTheSame(t *testing.T) {
	for seed := range 50 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 11))
			subRanges := randomMap(r)
			m, err := coordinate.NewMap(subRanges, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 200 {
				request := randomRequest(r, subRanges)
				if len(request) < wire.HeaderSize {
					continue
				}
				var want, got coordinate.Output
				m.Resolve(request, clientAddr, &want)
				ask(t, m, coordinate.Token(i), request, &got)
				if !slices.EqualFunc(got.Sends, want.Sends, sameSend) {
					t.Fatalf("request %x\nresolved %v\nasked %v", request, want.Sends, got.Sends)
				}
			}
		})
	}
}

func sameSend(a, b coordinate.Send) bool {
	return a.To == b.To && bytes.Equal(a.Payload, b.Payload)
}

// ask is a client, a network and a master.
func ask(
	t *testing.T, m *coordinate.Map, token coordinate.Token, request []byte, out *coordinate.Output,
) {
	t.Helper()
	q, ok := coordinate.ParseQuery(coordinate.AppendQuery(nil, token, request))
	if !ok {
		t.Fatalf("no query is made of %x", request)
	}
	var answers coordinate.Output
	m.Reply(q, clientAddr, &answers)
	for _, s := range answers.Sends {
		a, ok := coordinate.ParseAnswer(s.Payload)
		if !ok || a.Token != token || s.To != clientAddr {
			t.Fatalf("answer %x to %v: token %d, want %d", s.Payload, s.To, a.Token, token)
		}
		a.Apply(request, clientAddr, out)
	}
}

func FuzzParseQuery(f *testing.F) {
	request := wire.Packet(wire.Append(nil, wire.OpGet))
	f.Add(coordinate.AppendQuery(nil, 7, request))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, ok := coordinate.ParseQuery(b)
		if !ok {
			return
		}
		var m *coordinate.Map
		var out coordinate.Output
		m.Reply(q, clientAddr, &out) // whatever the header holds
		full := append(slices.Clone(q.Header), make([]byte, max(q.Size-wire.HeaderSize, 0))...)
		if again := coordinate.AppendQuery(nil, q.Token, full); q.Size >= wire.HeaderSize &&
			!bytes.Equal(again, b) {
			t.Errorf("query %x is encoded as %x", b, again)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	route := wire.Packet(wire.Append(nil, wire.OpGet)).Route()
	f.Add(coordinate.Answer{Token: 1, Verdict: coordinate.Resolved, To: node(1), Route: route}.Append(nil))
	f.Add(coordinate.Answer{Token: 2, Verdict: coordinate.Answered, Status: wire.StatusTryAgain,
		Route: route}.Append(nil))
	request := wire.Append(nil, wire.OpScan)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := coordinate.ParseAnswer(b)
		if !ok {
			return
		}
		if again := a.Append(nil); !bytes.Equal(again, b) {
			t.Errorf("answer %x is encoded as %x", b, again)
		}
		var out coordinate.Output
		if a.Apply(request, clientAddr, &out); len(out.Sends) != 1 {
			t.Errorf("answer %x makes %d packets of one", b, len(out.Sends))
		}
	})
}
