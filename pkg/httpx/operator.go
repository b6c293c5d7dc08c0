package httpx

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Role says what an operator may do. An admin may do everything; an auditor may read whatever an operator's route reads
// and change nothing; the others may do what is registered for their role, an operator also
// what a fleet may.
type Role string

// The roles. The list is closed.
const (
	RoleAdmin    Role = "admin"    // operators themselves, and all below
	RoleOperator Role = "operator" // runs the network: contributors, orders, jobs, runs of the models
	RoleReviewer Role = "reviewer" // privacy: reports and take-downs
	RoleFleet    Role = "fleet"    // answers for its own drivers and devices, and nothing else
	RoleAuditor  Role = "auditor"  // reads
)

// RoleAny stands for every role where one is needed.
const RoleAny Role = "any"

// Roles are all roles.
func Roles() []Role { return []Role{RoleAdmin, RoleOperator, RoleReviewer, RoleFleet, RoleAuditor} }

// May reports whether r may use an operation for need, by its HTTP method.
func (r Role) May(need Role, method string) bool {
	return r == RoleAdmin || need == RoleAny || r == need || r == RoleOperator && need == RoleFleet || r == RoleAuditor && need != RoleAdmin && reads(method)
}

func reads(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// Actor is an operator who acts.
type Actor struct {
	Name string
	Role Role
	Via  string // how they showed who they are: token, session, oidc, root, shell
}

// Act is what an operator does, as the audit log keeps it.
type Act struct {
	Name   string // the operation's id
	Target string // what it is done to: values of the path, "id=17"
}

// Operators knows the operators and keeps the audit log. Package operators implements it.
type Operators interface {
	// Identify gives the operator behind the request's credential, or an Unauthorized error.
	Identify(r *http.Request) (Actor, error)
	// Begin writes to the audit log that the act begins. An act that cannot be written does not happen. end writes how
	// it ended; note holds what the handler said with Note.
	Begin(ctx context.Context, by Actor, act Act) (end func(outcome, note string), err error)
}

type actorKey struct{}

type actorNotes struct {
	Actor
	notes []string
}

// ActorOf is the operator in whose name ctx runs; false outside of HandleOperator.
func ActorOf(ctx context.Context) (Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(*actorNotes)
	if !ok {
		return Actor{}, false
	}
	return a.Actor, true
}

// Note adds a word to what the audit log says of the act under way, such as "apply=true". It must hold no secret.
func Note(ctx context.Context, format string, args ...any) {
	if a, ok := ctx.Value(actorKey{}).(*actorNotes); ok {
		a.notes = append(a.notes, fmt.Sprintf(format, args...))
	}
}

// OperatorGuard lets an operation run only for operators who may, and keeps every act that is not a read in the audit
// log. Failed tries of an address are slowed down. A nil ops lets nobody in.
func OperatorGuard(ops Operators, need Role, op huma.Operation) func(huma.Context, func(huma.Context)) {
	strangers := &Limiter{Rate: 1, Burst: 30, Name: "stranger"}
	return func(hc huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(hc)
		by, err := identify(ops, r)
		if err != nil && survey.KindOf(err) == survey.Unauthorized {
			if limit := strangers.Check(w.Header(), Address(r)); limit != nil {
				err = limit
			}
		}
		if err == nil && !by.Role.May(need, r.Method) {
			p := *ProblemOf(survey.Errorf(survey.Unauthorized, "%s, who is %s, may not do this", by.Name, by.Role).WithHint("it needs the role %s", need))
			p.Status, p.Title, p.header = http.StatusForbidden, http.StatusText(http.StatusForbidden), nil
			err = p.Typed("forbidden")
		}
		if err != nil {
			WriteProblem(w, r, err)
			return
		}
		a := &actorNotes{Actor: by}
		ctx := context.WithValue(hc.Context(), actorKey{}, a)
		if reads(r.Method) {
			next(huma.WithContext(hc, ctx))
			return
		}
		end, err := ops.Begin(ctx, by, Act{Name: op.OperationID, Target: target(op.Path, r)})
		if err != nil {
			WriteProblem(w, r, fmt.Errorf("audit log: %w", err))
			return
		}
		outcome := "panic"
		defer func() { end(outcome, strings.Join(a.notes, ", ")) }()
		next(huma.WithContext(hc, ctx))
		outcome = fmt.Sprint(hc.Status())
	}
}

func identify(ops Operators, r *http.Request) (Actor, error) {
	if ops == nil {
		return Actor{}, survey.Errorf(survey.Unauthorized, "this server has no operators")
	}
	return ops.Identify(r)
}

// target is the values of the path's parameters, in its order.
func target(path string, r *http.Request) string {
	var parts []string
	for rest := path; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			return strings.Join(parts, " ")
		}
		name, more, _ := strings.Cut(after, "}")
		parts = append(parts, name+"="+cut(url.QueryEscape(r.PathValue(name))))
		rest = more
	}
}

// Address is the request's address without its port.
func Address(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// HandleOperator registers an operation that operators of role need, admins, and for reads auditors may use. RoleAny
// opens it to every operator. The document says the role in x-role.
func HandleOperator[I, O any](api huma.API, ops Operators, need Role, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	op.Security = Security(OperatorAuth)
	op.Middlewares = append(op.Middlewares[:len(op.Middlewares):len(op.Middlewares)], OperatorGuard(ops, need, op))
	op.Extensions = map[string]any{"x-role": string(need)}
	Handle(api, op, fn)
}

// CrossOrigin refuses a request that another site's page made a browser send, for credentials that browsers add by
// themselves (cookies).
func CrossOrigin(r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return survey.Errorf(survey.Unauthorized, "another site sent this").WithHint("use the pages of this network")
	}
	return nil
}
