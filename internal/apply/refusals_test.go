package apply

import (
	"errors"
	"strings"
	"testing"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// A refusal names what the file has, and where.
func TestARefusalNamesThePlaceInTheFile(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"a policy", "  policies: [Gold, Golden]\n", `create API Orders 1: the file names subscription policy "Golden" (FILE:6:20), and API-M has only Bronze, DefaultSubscriptionless, Gold, Silver, Unlimited: create API Orders 1 (POST `},
		{"a policy of an operation", "  policies: [Gold]\n  operations: [{verb: GET, target: /, throttling_policy: Fast}]\n", `the file names policy of an operation "Fast" (FILE:7:58): `},
		{"a policy of a subscription", "applications: [{name: Shop, subscriptions: [{api_name: Orders, throttling_policy: Golden}]}]\n", `the file names subscription policy "Golden" (FILE:6:83), and API-M has only Bronze, DefaultSubscriptionless, Gold, Silver, Unlimited: `},
		{"a category", "  categories: [Money]\n", `the file names category "Money" (FILE:6:16): `},
		{"an environment, which the answer names", "  environments: [Default, Far]\n", `the file names environment "Far" (FILE:6:27): deploy revision `},
		{"a host", "  environments: [{name: Default, vhost: far.example}]\n", `the file names virtual host "far.example" (FILE:6:41): deploy revision `},
		{"a role", "  visibility: RESTRICTED\n  visible_roles: [nobody]\n", `the file names visible role "nobody" (FILE:7:19): `},
		{"a role of a local scope, which the answer names", "  scopes: [{name: s, local: true, roles: [admin, nobody]}]\n", `the file names role of a scope "nobody" (FILE:6:50): `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := onlyAPIs(t)
			dir := t.TempDir()
			text := "apis:\n- name: Orders\n  version: '1'\n  context: /orders\n  backend_url: 'http://a:1'\n" + tt.file
			report := s.apply(s.read(text, dir), Options{})
			var err error
			for _, o := range report.Outcomes {
				if o.Change.Kind == "API" {
					err = o.Err
				}
			}
			want := strings.ReplaceAll(tt.want, "FILE", dir+"/file.yaml")
			if err == nil || !strings.Contains(err.Error(), want) || !wso2.IsPermanent(err) {
				t.Fatalf("the error is\n%v\nand should have\n%s", err, want)
			}
			if _, remedies := remedy.Split(err); len(remedies) != 1 || !strings.Contains(remedies[0], "correct") && !strings.Contains(err.Error(), "environment") {
				t.Errorf("the remedies are %q", remedies)
			}
		})
	}
}

// A name that is taken by something else is for a person to solve. One of an earlier try is for another round.
func TestTakenNames(t *testing.T) {
	s := onlyAPIs(t)
	s.made(s.read("apis: [{name: Other, version: '1', context: /other, backend_url: 'http://a:1', scopes: [{name: taken, local: true}]}]\n", t.TempDir()))
	report := s.apply(s.read("scopes: [{name: taken}]\n", t.TempDir()), Options{})
	if report.Failed() != 1 || !errors.Is(report.Outcomes[0].Err, errByHand) || !strings.Contains(report.Outcomes[0].Err.Error(), `an API has a local scope "taken" (`) {
		t.Errorf("%+v", report.Outcomes)
	}
}
