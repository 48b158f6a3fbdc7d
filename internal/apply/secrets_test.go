package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/pair"
)

// secretsOnce is a stand-in of API-M 4.7, which shows a secret only in the answer that makes it, and an installation with a KEYS_FILE.
type secretsOnce struct {
	*servers
	folder string
	log    bytes.Buffer // of the last run
}

func startSecretsOnce(t *testing.T, change func(*wso2sim.Options)) *secretsOnce {
	t.Helper()
	return &secretsOnce{servers: startVersions(t, pair.Versions{AM: "4.7.0"}, change), folder: t.TempDir()}
}

func (s *secretsOnce) keysFile() string { return filepath.Join(s.folder, "keys.json") }

// wanted is the desired state with the key of an application at the Resident Key Manager.
func (s *secretsOnce) wanted(application string) plan.Wanted {
	s.t.Helper()
	return s.read("applications: [{name: "+application+", keys: [{type: PRODUCTION, key_manager: Resident Key Manager}]}]\n", s.folder)
}

// keepIn is what agent apply does with a KEYS_FILE.
func (s *secretsOnce) keepIn(log *slog.Logger, want plan.Wanted, unkept error) (Report, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	files := bootstrap.Files{Keys: keysfile.Files{JSON: s.keysFile()}}
	report, err, unwritten := Keep(ctx, log, s.client, s.settings, files, unkept, "agent apply", "", want, Options{RetryFirst: time.Millisecond})
	if unkept != nil {
		unwritten = nil
	}
	return report, errors.Join(err, unwritten, report.Err())
}

// keep runs once, and returns the key of the application Shop.
func (s *secretsOnce) keep(unkept error) Credentials {
	s.t.Helper()
	s.log.Reset()
	report, err := s.keepIn(slog.New(slog.NewTextHandler(&s.log, nil)), s.wanted("Shop"), unkept)
	if err != nil || len(report.Keys) != 1 {
		s.t.Fatalf("%d keys, %v", len(report.Keys), err)
	}
	if secret := string(report.Keys[0].ConsumerSecret); secret != "" && strings.Contains(s.log.String(), secret) {
		s.t.Errorf("the log has the secret:\n%s", s.log.String())
	}
	return report.Keys[0]
}

// secrets lists those of a key, the oldest first.
func (s *secretsOnce) secrets(k Credentials) []wso2.ConsumerSecret {
	s.t.Helper()
	list, err := s.clients().DevPortal.Secrets(s.t.Context(), k.ApplicationID, k.MappingID)
	must(s.t, err)
	return list
}

// kept returns the secrets in KEYS_FILE, by their applications.
func (s *secretsOnce) kept() map[string]string {
	s.t.Helper()
	data, err := os.ReadFile(s.keysFile())
	must(s.t, err)
	keys, err := keysfile.Decode(data)
	must(s.t, err)
	all := map[string]string{}
	for _, k := range keys {
		all[k.Application] = string(k.ConsumerSecret)
	}
	return all
}

// works reports whether a client gets tokens with a secret.
func (s *secretsOnce) works(k Credentials, secret wso2.Secret) bool {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.am.URL()+"/oauth2/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	must(s.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(k.ConsumerKey, string(secret))
	answer, err := s.client.Do(r)
	must(s.t, err)
	defer answer.Body.Close()
	var token struct {
		Access string `json:"access_token"`
	}
	return json.NewDecoder(answer.Body).Decode(&token) == nil && token.Access != ""
}

func TestASecretThatIsShownOnceIsKeptAndALostOneIsReplacedOnce(t *testing.T) {
	s := startSecretsOnce(t, nil)
	first := s.keep(nil)
	if first.ConsumerSecret == "" || first.ConsumerSecret.Masked() || !s.works(first, first.ConsumerSecret) {
		t.Fatalf("the first run has the secret %q", first.ConsumerSecret)
	}
	s.writes()
	if second := s.keep(nil); second.ConsumerSecret != first.ConsumerSecret || len(s.writes()) > 0 || s.kept()["Shop"] != string(first.ConsumerSecret) {
		t.Errorf("a second run has another secret, or writes to API-M")
	}

	must(t, os.Remove(s.keysFile()))
	if s.keep(errors.New("read-only")); len(s.secrets(first)) != 1 {
		t.Error("a run that keeps no keys generates a secret, which is lost at once")
	}
	checked := Options{KeepsKeys: true, Check: func(plan.Wanted, []plan.Change) error { return nil }}
	if s.apply(s.wanted("Shop"), checked); len(s.secrets(first)) != 1 {
		t.Error("a run of a saved plan generates a secret, which is not in the plan")
	}
	third := s.keep(nil)
	if third.ConsumerSecret == first.ConsumerSecret || third.ConsumerKey != first.ConsumerKey || !strings.Contains(s.log.String(), "the former one stays valid") {
		t.Errorf("without the file: client %s, log\n%s", third.ConsumerKey, s.log.String())
	}
	if s.kept()["Shop"] != string(third.ConsumerSecret) || !s.works(first, first.ConsumerSecret) || !s.works(third, third.ConsumerSecret) {
		t.Error("the file lacks the new secret, or one of both is not valid")
	}
	if fourth := s.keep(nil); fourth.ConsumerSecret != third.ConsumerSecret || len(s.secrets(first)) != 2 || strings.Contains(s.log.String(), "secret") {
		t.Errorf("the run after that has another secret, or generates one:\n%s", s.log.String())
	}

	list, portal := s.secrets(first), s.clients().DevPortal
	if list[1].Properties["description"] != secretDescription {
		t.Errorf("%+v", list)
	}
	if err := portal.RevokeSecret(t.Context(), first.ApplicationID, first.MappingID, list[1].ID); err == nil {
		t.Error("the latest one can be revoked")
	}
	must(t, portal.RevokeSecret(t.Context(), first.ApplicationID, first.MappingID, list[0].ID))
	if s.works(first, first.ConsumerSecret) || !s.works(third, third.ConsumerSecret) {
		t.Error("the former one is valid after it is revoked, or the new one is not")
	}
	if fifth := s.keep(nil); fifth.ConsumerSecret != third.ConsumerSecret {
		t.Error("the run after that has another secret")
	}
}

// TestASecretWhoseAnswerNobodyHas: a run was killed between the answer and the write of KEYS_FILE, or the answer was lost on its way. The
// secret is valid, and nobody has it.
func TestASecretWhoseAnswerNobodyHas(t *testing.T) {
	for name, c := range map[string]struct {
		before  func(*secretsOnce)
		secrets int // at the end
	}{
		"killed after the key was made": {func(s *secretsOnce) { s.apply(s.wanted("Shop"), Options{}) }, 2},
		"killed after another secret was generated": {func(s *secretsOnce) {
			k := s.apply(s.wanted("Shop"), Options{}).Keys[0]
			_, err := s.clients().DevPortal.GenerateSecret(t.Context(), k.ApplicationID, k.MappingID, secretDescription)
			must(t, err)
		}, 3},
		"the answer that made the key is lost": {func(s *secretsOnce) {
			_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultReset, After: true, Method: "POST", Path: "/**/generate-keys", Count: 1})
			must(t, err)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSecretsOnce(t, nil)
			c.before(s)
			k := s.keep(nil)
			if s.kept()["Shop"] != string(k.ConsumerSecret) || !s.works(k, k.ConsumerSecret) {
				t.Errorf("the file has no valid secret:\n%s", s.log.String())
			}
			list := s.secrets(k)
			if len(list) != c.secrets {
				t.Fatalf("the client has %d secrets, want %d", len(list), c.secrets)
			}
			for _, lost := range list[:len(list)-1] { // a person can end them
				must(t, s.clients().DevPortal.RevokeSecret(t.Context(), k.ApplicationID, k.MappingID, lost.ID))
			}
			if again := s.keep(nil); again.ConsumerSecret != k.ConsumerSecret || len(s.secrets(k)) != 1 {
				t.Error("the next run has another secret")
			}
		})
	}
}

// TestTwoRunsAtOnceKeepAllSecrets: the run that has waited for the other one reads KEYS_FILE again.
func TestTwoRunsAtOnceKeepAllSecrets(t *testing.T) {
	s := startSecretsOnce(t, nil)
	atOnce := func(applications ...string) {
		t.Helper()
		var runs sync.WaitGroup
		for _, name := range applications {
			want := s.wanted(name)
			runs.Go(func() {
				if _, err := s.keepIn(slog.New(slog.DiscardHandler), want, nil); err != nil {
					t.Error(err)
				}
			})
		}
		runs.Wait()
	}
	atOnce("Shop", "Shop", "Desk")
	k := s.keep(nil)
	if kept := s.kept(); kept["Desk"] == "" || kept["Shop"] != string(k.ConsumerSecret) || !s.works(k, k.ConsumerSecret) {
		t.Errorf("the file has %d secrets", len(kept))
	}
	if list := s.secrets(k); len(list) != 1 {
		t.Errorf("after the first runs Shop has %d secrets", len(list))
	}
	must(t, os.Remove(s.keysFile()))
	atOnce("Shop", "Shop")
	if list := s.secrets(k); len(list) != 2 {
		t.Errorf("without the file both runs together generate %d secrets, want 1", len(list)-1)
	}
	if k = s.keep(nil); s.kept()["Shop"] != string(k.ConsumerSecret) || !s.works(k, k.ConsumerSecret) {
		t.Error("the file has no valid secret")
	}
}

func TestAnAPIMWithOneSecretForAClientSaysSo(t *testing.T) {
	off := func(o *wso2sim.Options) {
		path := filepath.Join(o.Home, "repository/conf/deployment.toml")
		text, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, slices.Concat(text, []byte("\n[oauth.multiple_client_secrets]\nenable = false\n")), 0o600))
	}
	for name, s := range map[string]*servers{"switched off": startSecretsOnce(t, off).servers, "API-M 4.5": start(t, nil)} {
		k := s.apply(s.read("applications: [{name: Shop, keys: [{type: PRODUCTION, key_manager: Resident Key Manager}]}]\n", t.TempDir()), Options{}).Keys[0]
		if _, err := s.clients().DevPortal.GenerateSecret(t.Context(), k.ApplicationID, k.MappingID, ""); !errors.Is(err, wso2.ErrOneSecret) {
			t.Errorf("%s: generate: %v, want ErrOneSecret", name, err)
		}
		if _, err := s.clients().DevPortal.Secrets(t.Context(), k.ApplicationID, k.MappingID); !errors.Is(err, wso2.ErrOneSecret) {
			t.Errorf("%s: list: %v, want ErrOneSecret", name, err)
		}
	}
}
