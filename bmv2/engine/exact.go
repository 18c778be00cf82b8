package engine

// exactIndex finds the entries of an exact table by a word: the whole key where it fits (packed),
// else a hash of it, in which case the key decides as well.
type exactIndex = paged[Entry]

// findWord returns the entry with the given packed key; nil if there is none.
func findWord(x *exactIndex, word uint64) *Entry {
	for i, mask := x.first(word); ; i = (i + 1) & mask {
		s := x.at(i)
		if s.v != nil {
			if s.word == word {
				return s.v
			}
		} else if s.word != removedWord {
			return nil
		}
	}
}

// findKey returns the entry with the given key; nil if there is none.
func findKey(x *exactIndex, word uint64, key []byte) *Entry {
	for i, mask := x.first(word); ; i = (i + 1) & mask {
		s := x.at(i)
		if s.v != nil {
			if s.word == word && string(s.v.key) == string(key) {
				return s.v
			}
		} else if s.word != removedWord {
			return nil
		}
	}
}

// sameKey recognises the entries with the key of e.
func (e *Entry) sameKey(o *Entry) bool { return string(e.key) == string(o.key) }
