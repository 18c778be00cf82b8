package v1model_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// token matches the scalars of a JSON text.
var token = regexp.MustCompile(`"[^"]*"|-?\b\d+\b|\btrue\b|\bfalse\b|\bnull\b`)

// TestDamagedPrograms replaces scalars of programs by others: what still loads must run.
func TestDamagedPrograms(t *testing.T) {
	rounds := 400
	if n, err := strconv.Atoi(os.Getenv("DAMAGE_ROUNDS")); err == nil {
		rounds = n
	}
	accepted := 0
	for _, name := range []string{"tables", "copies", "parsing", "unions", "varbit", "valuesets",
		"hashes", "handmade", "stateful", "registers"} {
		data, err := os.ReadFile(filepath.Join("..", "testdata", name+".json"))
		must(t, err)
		places := token.FindAllIndex(data, -1)
		for seed := range uint64(rounds) {
			r := rand.New(rand.NewPCG(seed, 5))
			bad := damage(r, data, places)
			if tryProgram(t, fmt.Sprintf("%s, seed %d", name, seed), bad) {
				accepted++
			}
		}
	}
	if accepted == 0 {
		t.Error("no damaged program was accepted: the test shows nothing")
	}
}

func damage(r *rand.Rand, data []byte, places [][]int) []byte {
	at := places[r.IntN(len(places))]
	replacements := []string{"0", "1", "-1", "7", "100000", "2147483647", "null", "true", `""`,
		`"0x"`,
		`"0xffffffffffffffffffff"`, `"-0x1"`, `"*"`, `"expression"`, `"hexstr"`, `"range"`,
		`"ternary"`,
		`"$valid$"`, `"header_stack"`, `"<<"`, `">>"`, `"+"`, `"?"`, `"two_comp_mod"`}
	other := places[r.IntN(len(places))]
	replacement := string(data[other[0]:other[1]])
	if r.IntN(3) == 0 {
		replacement = replacements[r.IntN(len(replacements))]
	}
	out := append([]byte(nil), data[:at[0]]...)
	out = append(out, replacement...)
	return append(out, data[at[1]:]...)
}

// tryProgram reports whether the program was accepted.
func tryProgram(t *testing.T, what string, data []byte) bool {
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: panic: %v", what, p)
		}
	}()
	p, err := bmv2.Load(data)
	if err != nil {
		return false
	}
	sw, err := v1model.NewSwitch(p, v1model.Config{MaxPasses: 20})
	if err != nil {
		return false
	}
	for _, op := range filling() { // what the damage has left of its tables and profiles
		sw.Update([]v1model.Op{op})
	}
	w := sw.NewWorker()
	for kind := range byte(15) {
		w.Process(1, append([]byte{kind, kind << 4, 0, 1, 2}, make([]byte, 40)...), func(uint16,
			[]byte) {
		})
	}
	return true
}
