package contract

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Contract is a named set of calls, one-way calls and pushes: everything that
// may pass between the clients of a room and the room. It is usually one package
// variable, defined together with its calls and imported by both sides.
//
// Calls and pushes are added by [NewCall], [NewOneWay] and [NewPush] while the
// program starts. Reading is safe for concurrent use, also while definitions are
// still being added; a server looks at a contract once, when it is made.
type Contract struct {
	name string

	mu        sync.RWMutex
	methods   []*Method
	methodsBy map[string]*Method
	pushes    []*PushDef
	pushesBy  map[string]*PushDef
}

// New returns an empty contract. The name is for messages and documents alone,
// it does not cross the wire. New panics if it is empty.
func New(name string) *Contract {
	if name == "" {
		panic("contract: New at " + caller(1) + ": the contract needs a name")
	}
	return &Contract{
		name:      name,
		methodsBy: make(map[string]*Method),
		pushesBy:  make(map[string]*PushDef),
	}
}

// Name returns the name given to [New].
func (c *Contract) Name() string { return c.name }

// Methods returns the calls and one-way calls in order of definition.
func (c *Contract) Methods() []*Method {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.methods)
}

// Method returns the call or one-way call of that name, nil if there is none.
func (c *Contract) Method(name string) *Method {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.methodsBy[name]
}

// Pushes returns the pushes in order of definition.
func (c *Contract) Pushes() []*PushDef {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.pushes)
}

// PushDef returns the push of that name, nil if there is none.
func (c *Contract) PushDef(name string) *PushDef {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.pushesBy[name]
}

// reserved are the names that the JavaScript client's call proxy cannot carry,
// because an object or a promise already has them (@firtoz/socka).
var reserved = map[string]bool{
	"then": true, "catch": true, "finally": true, "constructor": true,
	"toString": true, "valueOf": true, "toLocaleString": true,
	"hasOwnProperty": true, "isPrototypeOf": true, "propertyIsEnumerable": true,
	"__proto__": true,
}

// checkName panics if a definition may not have this name.
func (c *Contract) checkName(what, name, at string) {
	why := ""
	switch {
	case name == "":
		why = "the name is empty; give it one"
	case reserved[name]:
		why = "the name is reserved: every JavaScript object or promise has a member of that name; choose another"
	case strings.HasPrefix(name, "socka:"):
		why = "names beginning with \"socka:\" are kept for the protocol; choose another"
	case len(name) > maxName:
		why = fmt.Sprintf("the name has %d bytes, more than %d; shorten it", len(name), maxName)
	case !printable(name):
		why = "the name must be of printable characters without blanks; choose another"
	default:
		return
	}
	c.panicf(what, name, at, "%s", why)
}

// maxName bounds the name of a call or push, in bytes: it travels in every frame.
const maxName = 128

func printable(s string) bool {
	for _, r := range s {
		if r <= ' ' || r == 0x7f || r == 0xfffd {
			return false
		}
	}
	return true
}

func (c *Contract) panicf(what, name, at, format string, args ...any) {
	panic(fmt.Sprintf("contract %s: %s %q defined at %s: ", c.name, what, name, at) + fmt.Sprintf(format, args...))
}

func (c *Contract) addMethod(m *Method) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.methodsBy[m.name]; old != nil {
		panic(fmt.Sprintf("contract %s: %s %q defined at %s is already defined at %s", c.name, m.what(), m.name, m.at, old.at))
	}
	c.methodsBy[m.name] = m
	c.methods = append(c.methods, m)
}

func (c *Contract) addPush(p *PushDef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.pushesBy[p.name]; old != nil {
		panic(fmt.Sprintf("contract %s: push %q defined at %s is already defined at %s", c.name, p.name, p.at, old.at))
	}
	c.pushesBy[p.name] = p
	c.pushes = append(c.pushes, p)
}

// caller names the place skip frames above its caller, as "file.go:12".
func caller(skip int) string {
	_, file, line, ok := runtime.Caller(skip + 1)
	if !ok {
		return "an unknown place"
	}
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

// define makes what must hold of every definition hold, before it is added.
func (c *Contract) define(what, name, at string, options int) {
	if c == nil {
		panic(fmt.Sprintf("contract: %s %q defined at %s has no contract; pass the result of contract.New", what, name, at))
	}
	c.checkName(what, name, at)
	if options > 1 {
		c.panicf(what, name, at, "%d options structs given; put all options into one", options)
	}
}

// schemaFor returns the schema of one side of a definition: the given one, or
// that of the Go type. The type is checked in both cases.
func (c *Contract) schemaFor(what, name, at, side string, t reflect.Type, given Schema) Schema {
	s, err := schemaOfType(t)
	if err != nil {
		c.panicf(what, name, at, "%s: %v", side, err)
	}
	if given != nil {
		return given
	}
	return s
}
