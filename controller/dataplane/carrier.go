package dataplane

import "time"

// Carrier chooses the switch that carries the controller's own packets: what it writes into the
// catalogue, and probes of nodes. To move is to change routes in all switches, so it stays where it is for
// as long as that will do. It is pure, and not safe for concurrent use.
type Carrier struct {
	at      string
	avoided string // the switch that was left last, though it was near
}

// Candidate is a switch as a Carrier sees it.
type Candidate struct {
	Name     string
	Level    int
	Reach    int  // racks that requests reach from it (Fabric.Reach)
	Near     bool // the controller has a session with it
	Complete bool // and it holds all that it should
}

// CarrierPatience is how long a controller that begins waits for the switch that is to carry its traffic.
const CarrierPatience = 2 * time.Second

// NewCarrier begins with the best of all switches, near or not.
func NewCarrier(all []Candidate) *Carrier {
	c := new(Carrier)
	best, _ := c.best(all, func(Candidate) bool { return true })
	c.at = best.Name
	return c
}

// At returns the switch that carries the controller's packets, or would if it were near.
func (c *Carrier) At() string { return c.at }

// Attached says that a session with a switch begins: it gets another chance.
func (c *Carrier) Attached(name string) {
	if c.avoided == name {
		c.avoided = ""
	}
}

// Choose moves to a near switch if the present one is not, and to a complete one that is better. It
// reports whether it did. Better is who reaches more racks, then who is higher: as near to all of them as
// can be.
func (c *Carrier) Choose(now time.Duration, all []Candidate) (moved bool) {
	best, ok := c.best(all, func(x Candidate) bool { return x.Near })
	near := false
	for _, x := range all {
		near = near || x.Name == c.at && x.Near
	}
	if !ok || best.Name == c.at || near && !best.Complete || !near && now < CarrierPatience {
		return false
	}
	c.at = best.Name
	return true
}

// Leave moves to another near switch, because too few nodes answer through the present one, and reports
// whether there was any.
func (c *Carrier) Leave(all []Candidate) (moved bool) {
	best, ok := c.best(all, func(x Candidate) bool { return x.Near && x.Name != c.at })
	if ok {
		c.avoided, c.at = c.at, best.Name
	}
	return ok
}

// best returns the best switch of those that will do; the first one of equals, but rather the present
// one, and the one that was left last only if there is no other.
func (c *Carrier) best(all []Candidate, willDo func(Candidate) bool) (best Candidate, ok bool) {
	for _, x := range all {
		if willDo(x) && (!ok || c.better(x, best)) {
			best, ok = x, true
		}
	}
	return best, ok
}

func (c *Carrier) better(x, y Candidate) bool {
	switch {
	case x.Name == c.avoided || y.Name == c.avoided:
		return y.Name == c.avoided
	case x.Reach != y.Reach:
		return x.Reach > y.Reach
	case x.Level != y.Level:
		return x.Level > y.Level
	}
	return x.Name == c.at
}
