package converge

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/apply"
	"wso2agent/internal/desired"
	"wso2agent/internal/wso2sim/speccheck"
)

// refusal is a refusal of validation, by what it says.
type refusal struct{ says, why string }

// unsendable are the refusals of what the format of the file forbids: the reader keeps no value that a request could have.
var unsendable = []refusal{
	{" must be a mapping (key: value)", "the value has another type"},
	{" must be a list (lines that begin with -)", "the value has another type"},
	{" must be true or false", "the value has another type"},
	{" must be a whole number", "the value has another type"},
	{" must be a number of milliseconds, or a time such as 30s", "the value has another type, or more digits than a time"},
	{" must be a text", "the value has another type"},
	{" is none of ", "the reader keeps the words that it knows, in the spelling of the servers"},
	{" has no ", "an object or a field lacks what makes it one"},
	{"name \"\" must not be empty", "nothing identifies the object"},
	{" cannot read", "the contents are in another file"},
	{" appears twice", "the file says one thing once"},
	{" is not for security of type ", "a request has no place for it"},
	{" has no effect ", "the agent sends nothing of it"},
	{"API-M drops allow_", "the agent compares nothing of a CORS configuration that is off, which API-M empties"},
	{" needs urls with ", "a request has no place for one address next to a list"},
}

// harmful are the refusals of what the servers store as it is, and what nobody can want: what it is for does not work afterwards.
var harmful = []refusal{
	{" is no grant type", "no client can ask for a token by it"},
	{" must be one address, without a comma", "IS can send nobody there after a login"},
	{" must be an address such as ", "the gateway or API-M cannot call it"},
	{" must be an e-mail address", "API-M does not check it, and nobody can write to it"},
	{" must be the name of a header", "no HTTP request can have it"},
	{" must be one word without spaces", "no HTTP request can have it as the name of a header or a parameter"},
	{"_header ", "no HTTP server takes a header of that length"},
	{"_email ", "API-M does not check it, and nobody can write to it"},
	{"callback ", "IS can send nobody there after a login"},
	{" must be at least 1", "a limit or a time of 0 means something else in each place"},
	{" must be from 1 to 2147483647", "an int of Java holds no more, and the stand-ins have none"},
	{" has 40000 characters", "a column of the servers' databases holds less, and the stand-ins have none"},
	{" must not contain spaces: IS could never delete the scope", "IS answers HTTP 400 to the deletion, as recorded"},
	{"a key cannot do without grant types", "API-M makes a client that can get no token"},
	{" must be from 100000 to 999999", "the gateway has no such error"},
	{"schema \"\" must not be empty", "API-M makes an API that it cannot serve"},
	{" is not declared, so API-M would drop it", "the agent declares what an operation needs, and would make a new scope of a mistyped name"},
	{" must begin with /: API-M keeps it as it is", "no call matches the operation"},
}

// listed reports whether one of several problems is in a list.
func listed(all []refusal, problems desired.Problems) bool {
	return slices.ContainsFunc(problems, func(p desired.Problem) bool {
		return slices.ContainsFunc(all, func(r refusal) bool { return strings.Contains(p.Message+": "+p.Hint, r.says) })
	})
}

// TestWhatIsRefusedIsRefusedByTheServers makes one mistake in a random desired state that validation refuses, and sends it without
// validation. A server or its specification refuses it too, or the server drops or changes it, or the refusal is listed above.
func TestWhatIsRefusedIsRefusedByTheServers(t *testing.T) {
	wrap, violations := speccheck.Collect(t)
	w := startIn(t, wrap)
	random, sent, total := rand.New(rand.NewPCG(uint64(seed(t)), 5)), 0, number(t, "MUTANTS", 100) // of which most have a value of another type
	for i := range total {
		s, what := mutate(randomState(uint64(seed(t)+i), w.clients), random)
		f, err := w.parse(s)
		var problems desired.Problems
		if !errors.As(err, &problems) || listed(unsendable, problems) || listed(harmful, problems) {
			continue
		}
		sent++
		t.Run(what, func(t *testing.T) {
			w := w.in(t)
			w.load(w.empty)
			unmark(reflect.ValueOf(f))
			want, err := actual.Want(t.Context(), f, w.settings)
			if err != nil {
				t.Fatalf("%s: %v", problems, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			violations()
			report, err := apply.Run(ctx, slog.New(slog.DiscardHandler), w.connect(w.client.Transport), want, apply.Options{
				RetryFirst: time.Millisecond, RetryMax: time.Millisecond, EventWait: time.Millisecond,
				Tell: func(e apply.Event) {
					if e.Step == apply.Again && e.Round == 5 { // what API-M answers with HTTP 500 also fails next time
						cancel()
					}
				}})
			if err != nil || report.Failed() > 0 || len(report.Problems) > 0 || len(violations()) > 0 {
				return
			}
			if lines := w.differences(want); len(lines) == 0 {
				t.Errorf("the servers have it as it is, and validation refuses it: %s", problems)
			}
		})
	}
	if sent == 0 && total >= 100 {
		t.Errorf("none of %d files was sent in spite of validation", total)
	}
	t.Logf("%d of %d files were sent in spite of validation", sent, total)
}

// unmark takes back that the reader has reported a value.
func unmark(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			unmark(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			unmark(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			switch field := v.Field(i); {
			case !v.Type().Field(i).IsExported():
			case v.Type().Field(i).Name == "Wrong":
				field.SetBool(false)
			default:
				unmark(field)
			}
		}
	}
}
