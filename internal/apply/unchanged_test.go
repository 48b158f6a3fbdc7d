package apply

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/plan"
)

const twoAPIs = `
apis:
  - name: Orders
    version: "1"
    context: /orders
    endpoints: {production: {url: 'http://a:1', security: {type: BASIC, username: u, password: '${BACKEND}'}}}
    documents: [{name: Guide, summary: How, content: Order}]
  - {name: Chat, version: "1", context: /chat, backend_url: 'http://a:1'}
`

// kept is an installation whose runs leave something for the next one.
type kept struct {
	*servers
	files bootstrap.Files
}

// want reads a file in which a secret comes from a variable.
func (k kept) want(text, secret string) plan.Wanted {
	k.t.Helper()
	source := desired.FromSystem(func(name string) (string, bool) { return secret, name == "BACKEND" }, func(string) bool { return false })
	f, err := desired.Parse(source, desired.Input{Name: "file.yaml", Data: []byte(text)})
	must(k.t, err)
	want, err := actual.Want(k.t.Context(), f, k.settings)
	must(k.t, err)
	return want
}

// keep applies a file, and returns the report and how many APIs were read.
func (k kept) keep(want plan.Wanted, o Options) (Report, int) {
	k.t.Helper()
	k.amRequests.Reset()
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Minute)
	defer cancel()
	report, err, unwritten := Keep(ctx, slog.New(slog.DiscardHandler), k.client, k.settings, k.files, nil, "test", "", want, o)
	must(k.t, errors.Join(err, unwritten, report.Err()))
	return report, k.amRequests.Counts()["GET /api/am/publisher/v4/apis/{id}"]
}

// TestARunReadsOnlyWhatHasChangedSinceAnEarlierRun: from the second run on an unchanged API costs no request, and every change that
// matters is found.
func TestARunReadsOnlyWhatHasChangedSinceAnEarlierRun(t *testing.T) {
	k := kept{start(t, nil), bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(t.TempDir(), "keys.json")}}}
	want := k.want(twoAPIs, "first")
	step := func(what string, want plan.Wanted, o Options, changes, reads int) Report {
		t.Helper()
		report, n := k.keep(want, o)
		if len(report.Outcomes) != changes || n != reads {
			t.Errorf("%s: %d changes and %d APIs read, and should be %d and %d\n%s", what, len(report.Outcomes), n, changes, reads, report.Text())
		}
		return report
	}
	step("the first run", want, Options{}, 4, 0)
	whole := step("the run after it", want, Options{}, 0, 2)
	report := step("an unchanged state", want, Options{}, 0, 0)
	orders := plan.APIName{Name: "Orders", Version: "1"}
	if got, all := report.Served[orders], whole.Served[orders]; len(got.Operations) != 5 || !got.Deployed.Equal(all.Deployed) || got.Backend != "http://a:1" || report.IDs.APIs[orders] != whole.IDs.APIs[orders] {
		t.Errorf("the report has %+v of an unchanged API, and of one that was read %+v", got, all)
	}
	step("with --full", want, Options{Full: true}, 0, 2)
	step("afterwards", want, Options{}, 0, 0)
	text := strings.Replace(twoAPIs, "content: Order", "content: Order here", 1)
	step("a changed document", k.want(text, "first"), Options{}, 1, 2) // before the lease, and with it
	step("after it", k.want(text, "first"), Options{}, 0, 1)
	want = k.want(text, "second")
	step("a changed secret", want, Options{}, 1, 2)
	step("after it", want, Options{}, 0, 1)

	k.t.Log("somebody changes an API and a document by hand")
	p := actual.Connect(k.client, k.settings).Publisher
	have := k.have(want)
	chat, document := have.APIs[plan.APIName{Name: "Chat", Version: "1"}].Object, have.APIs[orders].Documents["Guide"].Object
	chat["description"] = "By hand"
	_, err := p.UpdateAPIObject(t.Context(), textOf(chat, "id"), chat)
	must(t, err)
	must(t, p.WriteText(t.Context(), whole.IDs.APIs[orders], textOf(document, "documentId"), "By hand"))
	step("an API that somebody has saved", want, Options{}, 0, 1)
	saved := func(changes int) Options {
		return Options{Check: func(_ plan.Wanted, all []plan.Change) error {
			if len(all) != changes {
				t.Errorf("a saved plan is compared with %d changes, and should be with %d", len(all), changes)
			}
			return nil
		}}
	}
	if all := step("a saved plan", want, saved(1), 1, 4); report.Whole || !all.Whole {
		t.Errorf("a run that has read no API says that it has read all: %t; one of a saved plan, which does: %t", report.Whole, all.Whole)
	}
	step("after it", want, Options{}, 0, 1)

	kept, err := os.ReadFile(k.files.UnchangedPath())
	must(t, err)
	if strings.Contains(string(kept), "second") {
		t.Errorf("the file has a secret: %s", kept)
	}
	if info, err := os.Stat(k.files.UnchangedPath()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode of the file: %v, %v", info.Mode(), err)
	}
	must(t, os.WriteFile(k.files.UnchangedPath(), []byte("{"), 0o600))
	step("a damaged file", want, Options{}, 0, 2)
}
