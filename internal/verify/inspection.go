package verify

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/suggest"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// Subject is what the checks of the table are about.
type Subject struct {
	Config   config.Config
	Settings bootstrap.Settings
	Servers  bootstrap.Servers
	Want     plan.Wanted // the desired state; without a File, checks of its APIs and application are skipped
	// APIs are those of the desired state, if they are known. nil: they are read from API-M.
	APIs []bootstrap.PublishedAPI
}

// Selection says which checks of the table run. The zero value stands for all that change nothing.
type Selection struct {
	Only  []string      // ids, or what stands before the point in them; with what these checks need; empty for all
	Skip  []string      // the same; a check that needs a skipped one is skipped too
	Write bool          // also those that make objects on the servers, and remove them again
	Wait  time.Duration // how long a check may take to pass, because the gateway takes up changes with a delay; 0 is 30 s

	// WaitInVain is how long the gateway may take to refuse a revoked token if IS has no handler; 0 is 3 s.
	WaitInVain time.Duration
}

// ErrSelection says that a selection names no check, or none at all.
var ErrSelection = errors.New("wrong selection of checks")

// inspection is one pass over the table, and what its checks have found.
type inspection struct {
	*run    // what the checks with a token share with the end of a bootstrap
	subject Subject

	announced  string              // issuer of IS
	registered wso2.KeyManagerInfo // IS as key manager
	manager    wso2.StoredKeyManager
	document   wso2.Discovered // IS's, as API-M has read it
	seen       apis
	exposure   exposed
}

// All makes the selected checks, and returns all results. The error wraps [ErrSelection] if the selection is wrong, [ErrFailed] if a check
// has failed, and the error of ctx if ctx ended first. Without Write it changes nothing on the servers. With it, it removes what it has
// made, also if ctx ends.
func All(ctx context.Context, log *slog.Logger, s Subject, o Selection) ([]Check, error) {
	selected, err := Selected(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, LongestInspection) // a later run removes what an older one has left
	defer cancel()
	if s.Settings, err = s.Settings.Normalised(); err != nil {
		return nil, err
	}
	options := Options{Resource: "/", Wait: cmp.Or(o.Wait, 30*time.Second), WaitInVain: o.WaitInVain, Owner: strings.ToLower(rand.Text()[:8])}
	i := &inspection{subject: s, seen: apis{read: s.APIs != nil, list: s.APIs}, run: &run{Servers: s.Servers, Options: options, log: log, prefix: throwAwayInspection}}
	defer i.removeClient(ctx)
	verdicts := map[string]Verdict{}
	var results []Check
	for _, d := range Checks() {
		if !slices.ContainsFunc(selected, func(s Definition) bool { return s.ID == d.ID }) {
			continue
		}
		begin := time.Now()
		list := i.check(ctx, d, o.Write, verdicts)
		if ctx.Err() != nil {
			return results, fmt.Errorf("verify: %w", context.Cause(ctx))
		}
		verdicts[d.ID] = verdictOf(list)
		for n, c := range list {
			if c.ID = d.ID; c.API == "" {
				c.Name = d.Name
			}
			if n == 0 {
				c.Took = time.Since(begin)
			}
			results = append(results, c)
		}
	}
	return results, failure(results)
}

// check makes one check, unless a check that it needs has not passed.
func (i *inspection) check(ctx context.Context, d Definition, write bool, verdicts map[string]Verdict) []Check {
	if d.Write && !write {
		return []Check{skipped(d.Name, "needs --write: it makes something on the servers, and removes it again")}
	}
	if d.File && i.subject.Want.File == nil && i.subject.APIs == nil {
		return []Check{skipped(d.Name, "there is no desired state: name a FILE, or set API_CONFIG")}
	}
	for _, need := range d.Needs {
		switch verdicts[need] {
		case Pass, Warn:
		case Fail:
			return []Check{skipped(d.Name, need+" has failed")}
		default:
			return []Check{skipped(d.Name, need+" was skipped")}
		}
	}
	return d.do(i, ctx)
}

// verdictOf returns the verdict of a check for those that need it. One API that passes is enough for them.
func verdictOf(list []Check) Verdict {
	for _, v := range []Verdict{Pass, Warn, Fail} {
		if slices.ContainsFunc(list, func(c Check) bool { return c.Verdict == v }) {
			return v
		}
	}
	return Skip
}

// Selected returns the checks of a selection, in their order, with those that they need. The error wraps [ErrSelection]: a name is unknown,
// or nothing is left.
func Selected(o Selection) (selected []Definition, err error) {
	all := Checks()
	for _, name := range slices.Concat(o.Only, o.Skip) {
		if !slices.ContainsFunc(all, func(d Definition) bool { return d.is(name) }) {
			return nil, unknownCheck(name, all)
		}
	}
	needed := map[string]bool{}
	for n := len(all) - 1; n >= 0; n-- { // a check only needs those above it
		d := all[n]
		wanted := len(o.Only) == 0 || slices.ContainsFunc(o.Only, d.is)
		if !wanted && !needed[d.ID] || slices.ContainsFunc(o.Skip, d.is) {
			continue
		}
		for _, need := range d.Needs {
			needed[need] = true
		}
		selected = append(selected, d)
	}
	if len(selected) == 0 {
		return nil, remedy.Add(fmt.Errorf("%w: --skip leaves none", ErrSelection), "leave out --skip, or name other checks")
	}
	slices.Reverse(selected)
	return selected, nil
}

// is reports whether a name selects the check: its id, or the subject in the id.
func (d Definition) is(name string) bool {
	subject, _, _ := strings.Cut(d.ID, ".")
	return name == d.ID || name == subject
}

func unknownCheck(name string, all []Definition) error {
	var ids []string
	for _, d := range all {
		ids = append(ids, d.ID)
	}
	err := fmt.Errorf("%w: there is no check %q", ErrSelection, name)
	if near := suggest.Nearest(name, ids); near != "" {
		return remedy.Add(err, "did you mean %s?", near)
	}
	return remedy.Add(err, `"agent verify --list" lists the checks`)
}

// apis are the APIs of the file, as API-M has them.
type apis struct {
	read bool
	list []bootstrap.PublishedAPI
	have plan.Have
	err  error
}

// apis reads what both servers have of the file, once.
func (i *inspection) apis(ctx context.Context) apis {
	if !i.seen.read && i.subject.Want.File != nil {
		clients := actual.Clients{Admin: i.Admin, Publisher: i.Publisher, DevPortal: i.DevPortal, AM: i.AM, IS: i.IS, SCIM: i.SCIM}
		i.seen.have, i.seen.err = actual.Read(ctx, clients, i.subject.Want)
		if i.seen.err == nil {
			i.seen.list = apply.Callable(i.subject.Want, i.seen.have, i.subject.Settings.KeyManagerName)
		}
	}
	i.seen.read = true
	return i.seen
}

// statement returns what the agent next to IS states on the exchange volume. said is false if there is none.
func (i *inspection) statement(ctx context.Context) (c trust.Closing, said bool) {
	return loggedClosing(ctx, i.log, i.subject.Config)
}

// passed returns the success of a check of the table, which names it.
func passed(evidence string, args ...any) Check {
	return Check{Verdict: Pass, Evidence: fmt.Sprintf(evidence, args...)}
}

// broken returns the failure that an error describes, with its remedy, or else the given one.
func broken(err error, otherwise string) Check {
	text, remedies := remedy.Split(err)
	var e *wso2.Error
	if errors.As(err, &e) && len(remedies) == 0 && e.Remedy() != "" { // which is in the text
		text, _ = strings.CutSuffix(text, "; "+e.Remedy())
		remedies = []string{e.Remedy()}
	}
	return failed("", text, cmp.Or(strings.Join(remedies, "; "), otherwise))
}
