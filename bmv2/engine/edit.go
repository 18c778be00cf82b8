package engine

// Editor changes a table many times and makes one snapshot of the outcome: what it has copied once
// it changes in place. It is not safe for concurrent use. Dropping it leaves no trace.
type Editor struct {
	t    Table
	edit *edit
}

// edit marks what one editor has made and may therefore change. Nothing it points to has been seen
// by packets.
type edit struct {
	opened []*lpmNode // to be closed
	yield  func()     // may be nil
	work   int        // entries arranged since the last yield
}

// arranging is called before n entries are arranged anew.
func (ed *edit) arranging(n int) {
	const often = 512 // entries, some 100 microseconds
	if ed.work += n; ed.work >= often && ed.yield != nil {
		ed.work = 0
		ed.yield()
	}
}

// Edit begins changes to a copy of the table.
func (t *Table) Edit() *Editor { return &Editor{t: *t, edit: new(edit)} }

// Yielding has the editor call yield now and then when a change of one entry takes long, because many
// others are arranged anew. It returns the editor.
func (ed *Editor) Yielding(yield func()) *Editor {
	ed.edit.yield = yield
	return ed
}

// With puts e in the place of the entry with the same match (and priority, where that counts) or
// adds it.
func (ed *Editor) With(e *Entry) {
	t := &ed.t
	switch t.spec.form {
	case formPacked, formBytes:
		t.exact = t.exact.with(ed.edit, e.word, e, e.sameKey)
	case formLPM:
		t.root = t.root.with(ed.edit, e.key, e.prefix, e)
	case formTernary:
		t.rules = t.rules.with(ed.edit, e)
	}
}

// Without removes the entry with the match and priority of e.
func (ed *Editor) Without(e *Entry) {
	t := &ed.t
	switch t.spec.form {
	case formPacked, formBytes:
		t.exact = t.exact.without(ed.edit, e.word, e.sameKey)
	case formLPM:
		t.root = t.root.without(ed.edit, e.key, e.prefix)
	case formTernary:
		t.rules = t.rules.without(ed.edit, e)
	}
}

// WithDefault sets the default entry; nil means none.
func (ed *Editor) WithDefault(e *Entry) { ed.t.def = e }

// Done returns the table as it is now. Later changes go to the next snapshot.
func (ed *Editor) Done() *Table {
	for _, n := range ed.edit.opened {
		n.close()
	}
	ed.edit.opened = nil
	ed.edit = &edit{yield: ed.edit.yield}
	out := ed.t
	return &out
}
