// Package turbokv_test holds the rules of the house: which room may import which, which code must
// be pure, and what may not stand anywhere. docs/ARCHITECTURE.md explains them.
package turbokv_test

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/turbokv/turbokv/"

// floors lists the rooms from bottom to top. A room imports only rooms of floors below its own, and
// those listed for it in neighbours. A longer path is more specific than a shorter one.
var floors = [][]string{
	{"kv", "p4src", "bmv2", "docs/model"}, // nouns; the switch stands apart
	{"wire"},                              // the packet
	{"topology"},                          // the network
	{"transport", "serverlib", "clientlib/session", "coordinate"}, // doors, and pure cores
	{"controller/directory", "controller/reconcile", "controller/health", "controller/balance",
		"controller/links"},
	{"controller/core"},
	{"clientlib", "controller/controlpb", "controller/adminpb", "controller/p4rt", "controller/store"},
	{"controller", "storagenode", "workload"}, // components and programs
	{"turbokvtest", "coordinate/coordinator"},
	{"cluster", "mininet"},
	{"cmd", "bench", "docs/examples"},
}

// neighbours are imports within one floor.
var neighbours = map[string][]string{
	"controller": {"controller"},
}

// standApart are rooms that only programs and their tests may import.
var standApart = map[string][]string{
	"bmv2": {"turbokvtest", "cluster", "cmd", "bench"},
}

// pure are the rooms whose code is a function of its inputs: state machines and decisions.
var pure = []string{
	"kv", "wire", "topology", "serverlib", "clientlib/session", "controller/directory", "controller/reconcile",
	"controller/health", "controller/balance", "controller/links", "controller/core", "coordinate",
	"bmv2", "bmv2/engine", "bmv2/v1model", "bmv2/link", "bmv2/differ/randprog", "bmv2/inspect", "cmd/turbokv/internal/netplan", "cmd/turbokv/internal/hops",
}

// impure are packages that a pure room may not import.
var impure = []string{
	"net", "os", "log", "log/slog", "math/rand", "crypto/rand", "syscall", "google.golang.org/grpc",
}

// servicesOnly are the rooms in which a gRPC service or its client lives.
var servicesOnly = []string{
	"bmv2/p4rt", "bmv2/daemon", "bmv2/differ", "controller", "storagenode", "cluster", "cmd", "bench",
}

// goFile is one parsed source file.
type goFile struct {
	path, dir string // relative to the root, slashes
	test      bool
	source    []byte
	syntax    *ast.File
	set       *token.FileSet
}

func (f goFile) imports() (out []string) {
	for _, spec := range f.syntax.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser has accepted it
		}
		out = append(out, path)
	}
	return out
}

func goFiles(t *testing.T) (out []goFile) {
	t.Helper()
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(set, path, source, parser.ParseComments)
		if err != nil {
			return err
		}
		path = filepath.ToSlash(path)
		dir := path[:max(strings.LastIndexByte(path, '/'), 0)]
		out = append(out, goFile{
			path, dir, strings.HasSuffix(path, "_test.go"), source, syntax, set,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// within reports whether dir is room or lies in it.
func within(dir, room string) bool { return dir == room || strings.HasPrefix(dir, room+"/") }

func withinAny(dir string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(r string) bool { return within(dir, r) })
}

// roomOf returns the most specific room that holds dir, and its floor; -1 if there is none.
func roomOf(dir string) (room string, floor int) {
	floor = -1
	for i, rooms := range floors {
		for _, r := range rooms {
			if within(dir, r) && len(r) > len(room) {
				room, floor = r, i
			}
		}
	}
	return room, floor
}

func TestEveryPackageHasARoom(t *testing.T) {
	for _, f := range goFiles(t) {
		if _, floor := roomOf(f.dir); floor < 0 && f.dir != "" {
			t.Errorf("%s: no floor holds this folder", f.path)
		}
	}
}

func TestRoomsImportOnlyFromFloorsBelow(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test {
			continue // tests may stand on any floor that the compiler allows
		}
		from, floor := roomOf(f.dir)
		for _, path := range f.imports() {
			dir, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			to, below := roomOf(dir)
			same := to == from || slices.Contains(neighbours[from], to)
			if !same && below >= floor {
				t.Errorf("%s imports %s: %q stands on floor %d, %q on floor %d",
					f.path, path, from, floor, to, below)
			}
			if users, apart := standApart[to]; apart && !same && !withinAny(f.dir, users) {
				t.Errorf("%s imports %s: only %v may", f.path, path, users)
			}
		}
	}
}

func TestCoresArePure(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || !isPure(f.dir) {
			continue
		}
		for _, path := range f.imports() {
			if slices.Contains(impure, path) {
				t.Errorf("%s imports %s: a core gets sockets, files, randomness and logs from its driver",
					f.path, path)
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%v: a core starts no goroutine", f.set.Position(n.Pos()))
			case *ast.SelectorExpr:
				if isClock(n) {
					t.Errorf("%v: a core reads no clock", f.set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// isPure reports whether exactly this folder is a pure room; its sub-folders need not be.
func isPure(dir string) bool { return slices.Contains(pure, dir) }

func isClock(s *ast.SelectorExpr) bool {
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "time" &&
		slices.Contains([]string{"Now", "Since", "After", "Sleep", "NewTimer", "NewTicker", "Tick"}, s.Sel.Name)
}

func TestGRPCStaysWithServices(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, path := range f.imports() {
			grpc := strings.HasPrefix(path, "google.golang.org/grpc")
			if grpc && !f.test && !withinAny(f.dir, servicesOnly) {
				t.Errorf("%s imports %s: only services and their clients in %v may", f.path, path, servicesOnly)
			}
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range goFiles(t) {
		if !f.test {
			documented[f.dir] = documented[f.dir] || f.syntax.Doc != nil
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment", dir)
		}
	}
}

func TestSourcesAreFormatted(t *testing.T) {
	for _, f := range goFiles(t) {
		want, err := format.Source(f.source)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, f.source) {
			t.Errorf("%s: not formatted by gofmt", f.path)
		}
	}
}

// TestTestsDoNotSleepToBeRight lets a test sleep only between two looks at a condition, in the
// third clause of a for statement, or where time is virtual.
func TestTestsDoNotSleepToBeRight(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.test || slices.Contains(f.imports(), "testing/synctest") {
			continue
		}
		polling := map[ast.Node]bool{}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ForStmt:
				polling[n.Post] = true
			case *ast.ExprStmt:
				call, ok := n.X.(*ast.CallExpr)
				if ok && isSleep(call.Fun) && !polling[n] {
					t.Errorf("%v: wait for a condition or use virtual time", f.set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

func isSleep(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Sleep" {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "time"
}
