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
	// Result is what a bootstrap has just made. The checks then wait until it works. nil: what the checks are about is read from API-M.
	Result *bootstrap.Result
}

// Selection says which checks of the table run. The zero value stands for all that change nothing.
type Selection struct {
	Only  []string      // ids, or what stands before the point in them; with what these checks need; empty for all
	Skip  []string      // the same; a check that needs a skipped one is skipped too
	Write bool          // also those that make objects on the servers, and remove them again
	Wait  time.Duration // how long a check may take to pass, because the gateway takes up changes with a delay; 0 is 30 s

	// EventWait is how long the gateway waits before each deployment, if that is longer than the 5 s of the product.
	EventWait time.Duration
	// WaitInVain is how long the gateway may take to refuse a revoked token if IS has no handler; 0 is 3 s.
	WaitInVain time.Duration
	// Owner is a name of eight small letters or digits. No two runs at the same time have the same one. A run deletes what earlier runs of
	// the same owner have left behind. Empty: a new name.
	Owner string
}

// ErrSelection says that a selection names no check, or none at all.
var ErrSelection = errors.New("wrong selection of checks")

// inspection is one pass over the table, and what its checks have found.
type inspection struct {
	*run
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
	results, err := inspect(ctx, log, s, o, func(Definition, []Check) {})
	if err != nil {
		return results, err
	}
	return results, failure(results)
}

// inspect makes the selected checks, and calls note with the results of each.
func inspect(ctx context.Context, log *slog.Logger, s Subject, o Selection, note func(Definition, []Check)) (results []Check, err error) {
	selected, err := Selected(o)
	if err != nil {
		return nil, err
	}
	if s.Settings, err = s.Settings.Normalised(); err != nil {
		return nil, err
	}
	o.Wait, o.Owner = cmp.Or(o.Wait, 30*time.Second), cmp.Or(o.Owner, strings.ToLower(rand.Text()[:8]))
	i := &inspection{subject: s, run: &run{Servers: s.Servers, Selection: o, log: log}}
	if s.Result != nil {
		i.result, i.seen = *s.Result, apis{read: true, list: s.Result.APIs}
	}
	defer func() { i.removeClient(ctx) }()
	verdicts, limited := map[string]Verdict{}, false
	for _, d := range selected {
		if d.Write && o.Write && !limited { // a later run removes what an older one has left
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, LongestInspection)
			defer cancel()
			limited = true
		}
		begin := time.Now()
		list := i.check(ctx, d, verdicts)
		if d.retried() && s.Result != nil && verdictOf(list) == Fail {
			again, cancel := context.WithTimeout(ctx, hiccup)
			i.poll(again, d.ID, func() (bool, string) {
				list = i.check(ctx, d, verdicts)
				return verdictOf(list) != Fail, list[0].Evidence
			})
			cancel()
		}
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
			list[n] = c
		}
		note(d, list)
		results = append(results, list...)
	}
	return results, nil
}

// hiccup is how long a server may fail to answer a check after a bootstrap.
const hiccup = 10 * time.Second

// retried reports whether another try may help after a bootstrap. The other checks of this kind wait by themselves.
func (d Definition) retried() bool { return d.Fails != never && !d.Write && d.ID != apiLoaded }

// check makes one check, unless a check that it needs has not passed.
func (i *inspection) check(ctx context.Context, d Definition, verdicts map[string]Verdict) []Check {
	if d.Write && !i.Write {
		return []Check{skipped(d.Name, "needs --write: it makes something on the servers, and removes it again")}
	}
	if d.File && i.subject.Want.File == nil && i.subject.Result == nil {
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
