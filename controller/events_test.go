package controller

import (
	"context"
	"errors"
	"testing"

	"github.com/turbokv/turbokv/controller/adminpb"
)

func TestTheJournalNumbersAndForgetsTheOldest(t *testing.T) {
	told := 0
	j := newJournal(Events{Notify: func(Event) { told++ }})
	const n = journalLength + 10
	for range n {
		j.tell(Event{Kind: NodeJoined})
	}
	all, _ := j.after(0)
	if told != n || len(all) > journalLength || len(all) < journalLength/2 || all[len(all)-1].id != n {
		t.Fatalf("%d told, %d remembered, the last one %d", told, len(all), all[len(all)-1].id)
	}
	for i, e := range all[1:] {
		if e.id != all[i].id+1 || e.at.Before(all[i].at) {
			t.Fatalf("event %d at %v follows %d at %v", e.id, e.at, all[i].id, all[i].at)
		}
	}
	if some, _ := j.after(n - 3); len(some) != 3 || some[0].id != n-2 {
		t.Fatalf("after %d: %+v", n-3, some)
	}
	if none, _ := j.after(n + 100); len(none) != 0 {
		t.Fatalf("of the future: %+v", none)
	}
}

func TestTheJournalIsFollowed(t *testing.T) {
	j := newJournal(Events{})
	j.tell(Event{Kind: NodeJoined})
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan entry)
	ended := make(chan error)
	go func() {
		ended <- j.stream(ctx, nil, &adminpb.EventsRequest{Follow: true}, func(e entry) error {
			got <- e
			return nil
		})
	}()
	if e := <-got; e.id != 1 {
		t.Fatalf("%+v", e)
	}
	j.tell(Event{Kind: NodeLeft})
	if e := <-got; e.id != 2 || e.Kind != NodeLeft {
		t.Fatalf("%+v", e)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
