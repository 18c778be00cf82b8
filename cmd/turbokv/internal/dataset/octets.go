package dataset

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Octets is a key or a value in JSON: text is a string, other bytes are {"base64": "..."}.
type Octets []byte

// MarshalJSON implements json.Marshaler.
func (o Octets) MarshalJSON() ([]byte, error) {
	if utf8.Valid(o) {
		return json.Marshal(string(o))
	}
	text := base64.StdEncoding.EncodeToString(o)
	return json.Marshal(encoded{&text})
}

// encoded is the JSON form of bytes that are no text.
type encoded struct {
	Base64 *string `json:"base64"`
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (o *Octets) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		*o = Octets(s)
		return nil
	}
	var e encoded
	if err := json.Unmarshal(text, &e); err != nil || e.Base64 == nil {
		return errors.New(`must be a string or {"base64": "..."}`)
	}
	b, err := base64.StdEncoding.DecodeString(*e.Base64)
	if err != nil {
		return fmt.Errorf("base64: %w", err)
	}
	*o = b
	return nil
}
