package survey

import (
	"errors"
	"fmt"
)

// Kind sorts errors by what a caller can do about them. Kinds map to HTTP and exit codes at the edges only. New kinds
// are appended, never reordered.
type Kind uint8

const (
	Internal     Kind = iota // a fault of ours; its text stays inside
	Invalid                  // the input is wrong and stays wrong when repeated
	NotFound                 // no such thing
	Conflict                 // clashes with what exists
	Unauthorized             // who or whether is not proven, or not allowed
	Unsupported              // well-formed, but not something this version can do
	Unavailable              // something we depend on is away; later may work
	Busy                     // over capacity; retry after a while
)

var kindNames = [...]string{"internal", "invalid", "not-found", "conflict", "unauthorized", "unsupported", "unavailable", "busy"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// Error carries a Kind, what went wrong, and, for people, what to do about it.
type Error struct {
	Kind Kind
	Msg  string // one sentence that names the file, field or id
	Hint string // what to do; may be empty
	Err  error  // cause; may be nil
}

func (e *Error) Error() string {
	s := e.Msg
	if e.Err != nil {
		if s != "" {
			s += ": "
		}
		s += e.Err.Error()
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of the kind; a %w operand becomes its cause.
func Errorf(k Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	e := &Error{Kind: k, Msg: err.Error()}
	if errors.Unwrap(err) != nil {
		e.Msg, e.Err = "", wrapped{err}
	}
	return e
}

// WithHint returns e with what to do about it.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// wrapped keeps the formatted text while errors.Is and As still reach the cause.
type wrapped struct{ error }

func (w wrapped) Unwrap() error { return errors.Unwrap(w.error) }

// KindOf is the kind of the outermost Error in err's chain; Internal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
