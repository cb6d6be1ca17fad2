package actors

// Holder is a Process that can keep what it is given for a moment, so that what comes together leaves together.
type Holder interface {
	Process
	// Hold takes a message as Deliver does, but what it causes may wait for Flush. It returns true if it does and
	// nothing waited before: the caller must see to it that Flush is called soon.
	Hold(msg any) bool
	// Flush lets go of what waits. It may be called on any goroutine, and when nothing waits.
	Flush()
}

// Holder returns the process behind pid if it is one of this system that can hold, else nil.
func (s *System) Holder(pid *PID) Holder {
	if pid.Address != s.engine.Address() {
		return nil
	}
	h, _ := s.Lookup(pid.Id).(Holder)
	return h
}
