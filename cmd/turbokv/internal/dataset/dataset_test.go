package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func readAll(format, text string) (got []string, err error) {
	r, err := New(format, strings.NewReader(text))
	for err == nil {
		var record Record
		if record, err = r.Read(); err == nil {
			got = append(got, fmt.Sprintf("%s=%s", record.Key, record.Value))
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return got, err
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ name, format, text, want string }{
		{"two columns", CSV, "a,1\nb,\"x,y\"\n", "a=1 b=x,y"},
		{"header", CSV, "id,value,key\n9,1,a\n8,2,b\n", "a=1 b=2"},
		{"empty file", CSV, "", ""},
		{"empty value", CSV, "a,\n", "a="},
		{"objects", JSONLines, `{"key":"a","value":"1","version":7}` + "\n" + `{"key":"b","value":"2"}`,
			"a=1 b=2"},
		{"base64", JSONLines, `{"key":{"base64":"AAE="},"value":"1"}`, "\x00\x01=1"},
		{"no objects", JSONLines, "", ""},
	} {
		got, err := readAll(c.format, c.text)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	for _, c := range []struct{ name, format, text, want string }{
		{"format", "xml", "", "must be csv or jsonl"},
		{"three columns", CSV, "a,b,c\n", "give two, key and value, or a header"},
		{"ragged", CSV, "a,1\nb\n", "record on line 2: wrong number of fields"},
		{"empty key", CSV, "a,1\n,2\n", "line 2: the key is empty"},
		{"no value", JSONLines, `{"key":"a","value":"1"}{"key":"b"}`,
			"record 2: needs a key and a value"},
		{"number", JSONLines, `{"key":1,"value":"1"}`, "must be a string"},
		{"bad base64", JSONLines, `{"key":{"base64":"?"},"value":"1"}`, "base64"},
		{"not JSON", JSONLines, "key=a", "record 1"},
	} {
		if _, err := readAll(c.format, c.text); !errors.Is(err, ErrFormat) ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

func TestOctetsSurviveJSON(t *testing.T) {
	for _, want := range []string{"", "text", "\u00e4\n\"", "\xff\x00"} {
		text, err := json.Marshal(Octets(want))
		if err != nil {
			t.Fatal(err)
		}
		var got Octets
		if err := json.Unmarshal(text, &got); err != nil || string(got) != want {
			t.Errorf("%q became %s and then %q, %v", want, text, got, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(CSV, "key,value\na,1\n")
	f.Add(JSONLines, `{"key":"a","value":{"base64":"AAE="}}`)
	f.Fuzz(func(t *testing.T, format, text string) {
		r, err := New(format, strings.NewReader(text))
		for err == nil {
			var record Record
			if record, err = r.Read(); err == nil && len(record.Key) == 0 {
				t.Fatal("a record without key")
			}
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
	})
}
