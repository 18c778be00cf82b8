package v1model

// RefKind is what an entry of a table with an action profile points at.
type RefKind uint8

// The kinds of references.
const (
	RefNone    RefKind = iota // the entry has an action of its own
	RefMember                 // a member of the profile
	RefGroup                  // a group of members, of which each packet picks one
	RefOneShot                // a group of the entry's own, written together with it
)

// String returns "none", "member", "group" or "one shot".
func (k RefKind) String() string {
	switch k {
	case RefNone:
		return "none"
	case RefMember:
		return "member"
	case RefGroup:
		return "group"
	case RefOneShot:
		return "one shot"
	}
	return "unknown"
}

// ActionRef is what an entry of a table with an action profile points at. The zero value points at
// nothing.
type ActionRef struct {
	Kind    RefKind
	ID      uint32 // of the member or the group
	OneShot []WeightedAction
}

// WeightedAction is one of the actions that an entry chooses from. Weight is positive: an action of
// weight 2 is chosen for twice as many packets as one of weight 1.
type WeightedAction struct {
	Action string
	Params [][]byte
	Weight int
	Watch  WatchPort
}

// WatchPort is a port on which a choice depends: while it is down, the choice is left out. The zero
// value is no port.
type WatchPort struct {
	Port uint16
	Set  bool
}

// ProfileMember is an action of an action profile, to which entries and groups point. ID is
// positive.
type ProfileMember struct {
	Profile string
	ID      uint32
	Action  string
	Params  [][]byte
	// Meta is kept with the member and returned as it is; the switch does not look at it.
	Meta any
}

// ProfileGroup is a set of members of an action profile with a selector. ID is positive; groups and
// members are numbered apart.
type ProfileGroup struct {
	Profile string
	ID      uint32
	// MaxSize bounds the sum of the weights (or, see [ProfileLimits], the number of members); 0: no
	// bound but that of the profile. It cannot be modified.
	MaxSize int
	Members []GroupMember // each at most once, in any order
	// Meta is kept with the group and returned as it is; the switch does not look at it.
	Meta any
}

// GroupMember is a member of a group. Weight is positive.
type GroupMember struct {
	Member uint32
	Weight int
	Watch  WatchPort
}

// ProfileLimits are bounds of an action profile with a selector that a P4Info declares and the
// compiled program does not. The zero value has sums of weights count, without a bound for one
// group.
type ProfileLimits struct {
	// MaxGroupSize bounds each group and one-shot; 0: no bound.
	MaxGroupSize int
	// ByMembers has the number of members count, whatever their weight, not the sum of the weights:
	// for MaxGroupSize, for ProfileGroup.MaxSize and for the size of the profile.
	ByMembers bool
	// MaxMemberWeight bounds the weight of a single member; 0: no bound.
	MaxMemberWeight int
}
