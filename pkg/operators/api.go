package operators

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type body[T any] struct{ Body T }

// Me is who asks.
type Me struct {
	Name string     `json:"name"`
	Role httpx.Role `json:"role" enum:"admin,operator,reviewer,fleet,auditor"`
	Via  string     `json:"via" doc:"How the operator showed who they are: session, token, oidc or root."`
}

// Ways says how one can log in.
type Ways struct {
	Password bool `json:"password"`
	OIDC     bool `json:"oidc" doc:"GET /v1/operator/oidc/login begins it."`
}

type loginIn struct {
	Body struct {
		Name     string `json:"name" maxLength:"80"`
		Password string `json:"password" maxLength:"256"`
	}
}

type sessionOut struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      Me
}

type accountIn struct {
	Body struct {
		Name string     `json:"name" minLength:"1" maxLength:"80"`
		Role httpx.Role `json:"role" enum:"admin,operator,reviewer,fleet,auditor"`
	}
}

type accountOut struct {
	Name     string `json:"name"`
	Password string `json:"password" doc:"Shown this once; only its hash is kept."`
}

type nameIn struct {
	Name string `path:"name" maxLength:"80"`
}

type roleIn struct {
	Name string `path:"name" maxLength:"80"`
	Body struct {
		Role httpx.Role `json:"role" enum:"admin,operator,reviewer,fleet,auditor"`
	}
}

type auditIn struct {
	After int64 `query:"after" doc:"Entries after this sequence number."`
	Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type auditOut struct {
	Entries []Entry `json:"entries"`
}

// Register adds the operations under /v1/operator to the API.
func (o *Operators) Register(mux httpx.Mux, api huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/v1/operator" + path, Summary: summary, Tags: []string{"operators"}, MaxBodyBytes: 64 << 10}
	}
	httpx.Handle(api, op("login-ways", "GET", "/login", "How an operator can log in"), func(context.Context, *struct{}) (*body[Ways], error) {
		return &body[Ways]{Ways{Password: true, OIDC: o.OIDC != nil}}, nil
	})
	login := op("login", "POST", "/login", "Log in with a password; the answer sets the session's cookie")
	login.Middlewares = huma.Middlewares{httpx.OwnPage}
	httpx.Handle(api, login, func(ctx context.Context, in *loginIn) (*sessionOut, error) {
		secret, a, err := o.Login(ctx, in.Body.Name, in.Body.Password, httpx.Address(httpx.Request(ctx)))
		if err != nil {
			return nil, err
		}
		return &sessionOut{SetCookie: []http.Cookie{*o.cookie(secret)}, Body: Me(a)}, nil
	})
	logout := op("logout", "POST", "/logout", "End the session")
	logout.Middlewares = huma.Middlewares{httpx.OwnPage}
	logout.DefaultStatus = http.StatusNoContent
	httpx.Handle(api, logout, func(ctx context.Context, in *struct {
		Session string `cookie:"roadcomb_operator"`
	}) (*struct {
		SetCookie []http.Cookie `header:"Set-Cookie"`
	}, error) {
		out := &struct {
			SetCookie []http.Cookie `header:"Set-Cookie"`
		}{[]http.Cookie{*o.cookie("")}}
		return out, o.Logout(ctx, in.Session)
	})
	httpx.HandleOperator(api, o, httpx.RoleAny, op("whoami", "GET", "/me", "Who I am"), func(ctx context.Context, _ *struct{}) (*body[Me], error) {
		a, _ := httpx.ActorOf(ctx)
		return &body[Me]{Me(a)}, nil
	})

	httpx.HandleOperator(api, o, httpx.RoleAdmin, op("list-operators", "GET", "/accounts", "The operators"), func(ctx context.Context, _ *struct{}) (*body[[]Account], error) {
		as, err := o.List(ctx)
		return &body[[]Account]{as}, err
	})
	add := op("add-operator", "POST", "/accounts", "Make an operator")
	add.DefaultStatus = http.StatusCreated
	httpx.HandleOperator(api, o, httpx.RoleAdmin, add, func(ctx context.Context, in *accountIn) (*body[accountOut], error) {
		httpx.Note(ctx, "name=%s, role=%s", in.Body.Name, in.Body.Role)
		p := NewPassword()
		if err := o.Add(ctx, in.Body.Name, in.Body.Role, p); err != nil {
			return nil, err
		}
		return &body[accountOut]{accountOut{in.Body.Name, p}}, nil
	})
	role := op("set-operator-role", "PUT", "/accounts/{name}/role", "Change what an operator may do, at once")
	role.DefaultStatus = http.StatusNoContent
	httpx.HandleOperator(api, o, httpx.RoleAdmin, role, func(ctx context.Context, in *roleIn) (*struct{}, error) {
		httpx.Note(ctx, "role=%s", in.Body.Role)
		return nil, o.SetRole(ctx, in.Name, in.Body.Role)
	})
	off := op("disable-operator", "DELETE", "/accounts/{name}", "End an account, its sessions and tokens")
	off.DefaultStatus = http.StatusNoContent
	httpx.HandleOperator(api, o, httpx.RoleAdmin, off, func(ctx context.Context, in *nameIn) (*struct{}, error) { return nil, o.Disable(ctx, in.Name) })

	httpx.HandleOperator(api, o, httpx.RoleAuditor, op("list-audit", "GET", "/audit", "What operators did, in order; each entry's hash covers the one before"), func(ctx context.Context, in *auditIn) (*body[auditOut], error) {
		es, err := Entries(ctx, o.db, in.After, in.Limit)
		return &body[auditOut]{auditOut{es}}, err
	})
	if o.OIDC != nil {
		o.oidcRoutes(mux)
	}
}

func (o *Operators) cookie(secret string) *http.Cookie {
	return httpx.SessionCookie(Cookie, secret, SessionLife, o.Secure)
}

// ParseRole reads a role as a person writes it.
func ParseRole(s string) (httpx.Role, error) {
	r := httpx.Role(strings.ToLower(strings.TrimSpace(s)))
	for _, k := range httpx.Roles() {
		if r == k {
			return r, nil
		}
	}
	return "", survey.Errorf(survey.Invalid, "role %q", s).WithHint("the roles are %v", httpx.Roles())
}
