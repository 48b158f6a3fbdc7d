package wso2sim

import (
	"encoding/json"
	"strings"
	"testing"
)

// inMemory is what the server should have on disk by what it has in memory, as JSON by kind and id.
func (am *AM) inMemory() map[record]string {
	am.mu.Lock()
	defer am.mu.Unlock()
	have := oauthInMemory(am.oauth)
	for id := range am.apis {
		have[record{"api", id}] = ""
	}
	for id := range am.applications {
		have[record{"application", id}] = ""
	}
	for id := range am.subscriptions {
		have[record{"subscription", id}] = ""
	}
	for _, k := range am.keyManagers {
		have[record{"keymanager", k.uuid}] = ""
	}
	for id, e := range am.index {
		if e.shown != nil || e.next != nil {
			have[record{"index", id}] = ""
		}
	}
	for alias := range am.certificates {
		have[record{"certificate", alias}] = ""
	}
	for jti := range am.revoked {
		have[record{"revoked", jti}] = ""
	}
	for _, p := range am.policies {
		have[record{"policy", p.id}] = ""
	}
	for _, c := range am.categories {
		have[record{"category", c.id}] = ""
	}
	for _, e := range am.environments {
		if !e.configured() {
			have[record{"environment", *e.ID}] = ""
		}
	}
	have[record{"subscriber", "admin"}] = ""
	have[record{"account", "administrator"}] = ""
	return described(have, am.describe)
}

func (is *IS) inMemory() map[record]string {
	is.mu.Lock()
	defer is.mu.Unlock()
	have := oauthInMemory(is.oauth)
	for _, r := range is.roles {
		have[record{"role", r.id}] = ""
	}
	for _, a := range is.resources {
		have[record{"resource", a.id}] = ""
	}
	for _, g := range is.groups {
		have[record{"group", g.id}] = ""
	}
	for _, app := range is.apps.all {
		have[record{"application", app.id}] = ""
	}
	for _, u := range is.users {
		have[record{"account", u.id}] = ""
	}
	return described(have, is.describe)
}

func oauthInMemory(o *oauthServer) map[record]string {
	have := map[record]string{{"user", "admin"}: ""}
	for id := range o.clients {
		have[record{"client", id}] = ""
	}
	for value := range o.tokens {
		have[record{"token", value}] = ""
	}
	return have
}

func described(have map[record]string, describe func(record) any) map[record]string {
	for key := range have {
		text, _ := json.Marshal(describe(key))
		have[key] = string(text)
	}
	return have
}

// onDisk is what the databases hold. What the index shows by now is not written again, so a reader works it out.
func onDisk(t *testing.T, k *keeper) map[record]string {
	t.Helper()
	held, err := k.kept()
	if err != nil {
		t.Fatal(err)
	}
	have := map[record]string{}
	for kind, entries := range held {
		for _, e := range entries {
			have[record{kind, e.ID}] = string(e.Is)
		}
	}
	return have
}

func compareRecords(t *testing.T, what string, got, want map[record]string) {
	t.Helper()
	for key, is := range want {
		if key.kind == "index" { // time alone changes it
			_, there := got[key]
			if !there {
				t.Errorf("%s: %s %.40s is missing", what, key.kind, key.id)
			}
			continue
		}
		is, _, _ = strings.Cut(is, `"Leaving":`) // time alone changes that, too
		if has, _, _ := strings.Cut(got[key], `"Leaving":`); has != is {
			t.Errorf("%s: %s %.40s is\n%.300s\nwant\n%.300s", what, key.kind, key.id, has, is)
		}
	}
	for key := range got {
		if _, wanted := want[key]; !wanted {
			t.Errorf("%s: %s %.40s is too much", what, key.kind, key.id)
		}
	}
}
