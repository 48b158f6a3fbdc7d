package apply

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2sim/pair"
)

const byMutualTLS = "key_managers: [{name: WSO2-IS, additional_properties: {Authentication: MutualTLS, MutualTLSOptions: ServerWide, IdentityUser: admin}}]\n"

// TestAKeyManagerByMutualTLSIsRefusedWithTheReason: the stand-in is an API-M 4.5, whose connector has no mutual TLS.
func TestAKeyManagerByMutualTLSIsRefusedWithTheReason(t *testing.T) {
	s := start(t, nil)
	report := s.apply(s.read(byMutualTLS, t.TempDir()), Options{})
	if len(report.Outcomes) != 1 {
		t.Fatalf("%+v", report.Outcomes)
	}
	text, remedies := remedy.Split(report.Outcomes[0].Err)
	if !permanent(report.Outcomes[0].Err) || !strings.Contains(text, "Authentication=MutualTLS") || len(remedies) != 1 || !strings.Contains(remedies[0], "API-M 4.6") {
		t.Errorf("%s, remedies %q", text, remedies)
	}
}

// TestAKeyManagerByMutualTLSIsWarnedOf: an IS that does not map certificates to users takes any certificate that it trusts.
func TestAKeyManagerByMutualTLSIsWarnedOf(t *testing.T) {
	s := startVersions(t, pair.Versions{IS: "7.2.0", AM: "4.6.0"}, nil)
	for _, mapped := range []bool{false, true} {
		s.settings.MapsCertificates = func(context.Context) bool { return mapped }
		var log bytes.Buffer
		files := bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(t.TempDir(), "keys.json")}}
		report, err, unwritten := Keep(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), s.client, s.settings, files, nil, "agent apply", "",
			s.read(byMutualTLS, t.TempDir()), Options{})
		if err != nil || unwritten != nil {
			t.Fatalf("%v, %v, %+v", err, unwritten, report.Outcomes)
		}
		if warns := strings.Contains(log.String(), "level=WARN msg=\"the key manager calls IS by mutual TLS, and IS before"); warns == mapped {
			t.Errorf("IS maps certificates: %t, and the log is:\n%s", mapped, log.String())
		}
	}
}

// sentBodies records the bodies of requests that make or change key managers.
type sentBodies struct {
	next http.RoundTripper
	mu   sync.Mutex
	all  []string
}

func (b *sentBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && strings.Contains(r.URL.Path, "/key-managers") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		b.mu.Lock()
		b.all = append(b.all, string(body))
		b.mu.Unlock()
	}
	return b.next.RoundTrip(r)
}

// withAccount returns the bodies with a user or a password. It forgets all.
func (b *sentBodies) withAccount() (sent int, found []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.all {
		if strings.Contains(text, `"Password"`) || strings.Contains(text, `"Username"`) {
			found = append(found, text)
		}
	}
	sent, b.all = len(b.all), nil
	return sent, found
}

// TestAKeyManagerByMutualTLSGetsNoPassword: neither the file nor anything else gives one to it.
func TestAKeyManagerByMutualTLSGetsNoPassword(t *testing.T) {
	s := startVersions(t, pair.Versions{IS: "7.2.0", AM: "4.6.0"}, nil)
	bodies := &sentBodies{next: s.client.Transport}
	s.client = &http.Client{Transport: bodies}
	folder := t.TempDir()
	s.settings.KMUser = bootstrap.ServiceUser{Setting: "create", Rights: "least", Record: filepath.Join(folder, "km-user.json")}
	named := oneAPI + byMutualTLS
	s.bootstrapIn(folder, named)
	s.planned(s.read(named, folder))
	if sent, found := bodies.withAccount(); sent == 0 || len(found) > 0 {
		t.Errorf("of %d requests, these have an account: %q", sent, found)
	}
	s.writes()
	s.bootstrapIn(folder, named)
	if w := slices.DeleteFunc(s.writes(), func(line string) bool { return !strings.Contains(line, "key-managers") }); len(w) > 0 {
		t.Errorf("a second run sends %q", w)
	}

	admin := bootstrap.Connect(s.client, s.settings).Admin
	edit := func() {
		t.Helper()
		list, err := admin.KeyManagers(t.Context())
		must(t, err)
		same := bootstrap.KeeperFirst(list, "WSO2-IS")
		km, err := admin.KeyManagerObject(t.Context(), same[0].ID)
		must(t, err)
		km.Fields["description"] = "edited"
		must(t, admin.UpdateKeyManagerObject(t.Context(), km.ID, km.Fields))
		bodies.withAccount()
	}
	for name, run := range map[string]func(){
		"agent km register": func() {
			changes, err := bootstrap.Register(t.Context(), slog.New(slog.DiscardHandler), bootstrap.Connect(s.client, s.settings), s.settings, &desired.File{}, nil)
			if must(t, err); changes == 0 {
				t.Error("it changes nothing")
			}
		},
		"agent bootstrap without a word on it in the file": func() { s.bootstrapIn(folder, oneAPI) },
		"agent apply without a word on it in the file": func() {
			s.apply(s.read(oneAPI, folder), Options{User: ServiceUser{slog.New(slog.DiscardHandler), bootstrap.Connect(s.client, s.settings), s.settings}})
		},
	} {
		edit()
		run()
		if sent, found := bodies.withAccount(); sent == 0 || len(found) > 0 {
			t.Errorf("%s: of %d requests, these have an account: %q", name, sent, found)
		}
		s.planned(s.read(named, folder))
	}
}
