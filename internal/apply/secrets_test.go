package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// shownOnce answers in front of the stand-in of API-M 4.5 as API-M 4.7 does, by its devportal-api.yaml and multiple_client_secrets.feature of
// product-apim: a list masks the secret of a key, and a key can have further secrets.
type shownOnce struct {
	mu     sync.Mutex
	off    bool // [oauth.multiple_client_secrets] enable = false
	more   []map[string]any
	number int
}

func (s *shownOnce) wrap(o *wso2sim.Options) {
	wrap := o.Wrap
	o.Wrap = func(next http.Handler) http.Handler {
		return wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, rest, keys := strings.Cut(r.URL.Path, "/oauth-keys")
			parts := strings.Split(rest, "/")
			s.mu.Lock()
			defer s.mu.Unlock()
			switch {
			case !keys || !strings.HasPrefix(r.URL.Path, "/api/am/devportal/v3/applications/"):
				s.mu.Unlock()
				next.ServeHTTP(w, r)
				s.mu.Lock()
			case len(parts) == 3 && s.off:
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprint(w, `{"code":900916,"message":"Forbidden"}`)
			case len(parts) == 3:
				s.secrets(w, r, parts[2])
			default:
				answer := httptest.NewRecorder()
				next.ServeHTTP(answer, r)
				text := answer.Body.String()
				var shown map[string]any
				if r.Method == http.MethodGet && json.Unmarshal([]byte(text), &shown) == nil {
					list, _ := shown["list"].([]any)
					for _, one := range list {
						key := one.(map[string]any)
						if secret, is := key["consumerSecret"].(string); is && !s.off {
							key["consumerSecret"] = secret[:3] + strings.Repeat("*", 13)
						}
					}
					b, _ := json.Marshal(shown)
					text = string(b)
				}
				maps.Copy(w.Header(), answer.Header())
				w.Header().Del("Content-Length")
				w.WriteHeader(answer.Code)
				fmt.Fprint(w, text)
			}
		}))
	}
}

func (s *shownOnce) secrets(w http.ResponseWriter, r *http.Request, action string) {
	var body struct {
		ID         string         `json:"secretId"`
		Properties map[string]any `json:"additionalProperties"`
	}
	json.NewDecoder(r.Body).Decode(&body)
	w.Header().Set("Content-Type", "application/json")
	switch r.Method + " " + action {
	case "POST generate-secret":
		s.number++
		made := map[string]any{"secretId": fmt.Sprintf("id-%d", s.number), "secretValue": fmt.Sprintf("made-%d", s.number), "additionalProperties": body.Properties}
		s.more = append(s.more, made)
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(made)
	case "GET secrets":
		json.NewEncoder(w).Encode(map[string]any{"count": len(s.more), "list": s.more})
	case "POST revoke-secret":
		for i, one := range s.more {
			if one["secretId"] == body.ID {
				s.more = append(s.more[:i], s.more[i+1:]...)
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func TestASecretThatIsShownOnceIsKeptAndALostOneIsReplacedOnce(t *testing.T) {
	api := &shownOnce{}
	s, folder := start(t, api.wrap), t.TempDir()
	want := s.read("applications: [{name: Shop, keys: [{type: PRODUCTION, key_manager: Resident Key Manager}]}]\n", folder)
	path := filepath.Join(folder, "keys.json")
	var log bytes.Buffer
	keep := func(unkept error) (Credentials, string) {
		t.Helper()
		log.Reset()
		report, err, unwritten := Keep(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), s.client, s.settings, bootstrap.Files{Keys: keysfile.Files{JSON: path}}, unkept, "agent apply", "", want, Options{})
		if unkept != nil {
			unwritten = nil
		}
		if err = errors.Join(err, unwritten, report.Err()); err != nil || len(report.Keys) != 1 {
			t.Fatalf("%d keys, %v", len(report.Keys), err)
		}
		return report.Keys[0], log.String()
	}
	first, _ := keep(nil)
	if first.ConsumerSecret == "" || first.ConsumerSecret.Masked() {
		t.Fatalf("the first run has the secret %q", first.ConsumerSecret)
	}
	if second, _ := keep(nil); second.ConsumerSecret != first.ConsumerSecret || api.number != 0 {
		t.Errorf("a second run has another secret, and has generated %d", api.number)
	}

	must(t, os.Remove(path))
	if _, _ = keep(errors.New("read-only")); api.number != 0 {
		t.Error("a run that keeps no keys generates a secret, which is lost at once")
	}
	third, told := keep(nil)
	if third.ConsumerSecret != "made-1" || third.ConsumerKey != first.ConsumerKey || !strings.Contains(told, "the former one stays valid") || strings.Contains(told, "made-1") {
		t.Errorf("without the file: secret %q, client %s, log\n%s", third.ConsumerSecret, third.ConsumerKey, told)
	}
	data, err := os.ReadFile(path)
	must(t, err)
	if kept, err := keysfile.Decode(data); err != nil || len(kept) != 1 || kept[0].ConsumerSecret != "made-1" {
		t.Errorf("the file has %v, %v", kept, err)
	}
	if fourth, told := keep(nil); fourth.ConsumerSecret != "made-1" || api.number != 1 || strings.Contains(told, "secret") {
		t.Errorf("the run after that has %q, and %d secrets are generated:\n%s", fourth.ConsumerSecret, api.number, told)
	}

	portal := s.clients().DevPortal
	list, err := portal.Secrets(t.Context(), third.ApplicationID, third.MappingID)
	if err != nil || len(list) != 1 || list[0].Properties["description"] != secretDescription {
		t.Fatalf("%v, %v", list, err)
	}
	must(t, portal.RevokeSecret(t.Context(), third.ApplicationID, third.MappingID, list[0].ID))
	if list, err = portal.Secrets(t.Context(), third.ApplicationID, third.MappingID); err != nil || len(list) != 0 {
		t.Errorf("after it is revoked: %v, %v", list, err)
	}
}

func TestAnAPIMWithOneSecretForAClientSaysSo(t *testing.T) {
	api := &shownOnce{off: true}
	s, folder := start(t, api.wrap), t.TempDir()
	want := s.read("applications: [{name: Shop, keys: [{type: PRODUCTION, key_manager: Resident Key Manager}]}]\n", folder)
	k := s.apply(want, Options{}).Keys[0]
	if _, err := s.clients().DevPortal.GenerateSecret(t.Context(), k.ApplicationID, k.MappingID, ""); !errors.Is(err, wso2.ErrOneSecret) {
		t.Errorf("switched off: %v, want ErrOneSecret", err)
	}
	before := start(t, nil)
	k = before.apply(before.read("applications: [{name: Shop, keys: [{type: PRODUCTION, key_manager: Resident Key Manager}]}]\n", folder), Options{}).Keys[0]
	if _, err := before.clients().DevPortal.Secrets(t.Context(), k.ApplicationID, k.MappingID); !errors.Is(err, wso2.ErrOneSecret) {
		t.Errorf("API-M 4.5: %v, want ErrOneSecret", err)
	}
}
