package bootstrap_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/serviceuser"
)

func TestFailuresToBindRolesAreLoggedOnceAndSoIsTheirEnd(t *testing.T) {
	f := newFake()
	s := testSettings
	s.KMUser = bootstrap.ServiceUser{Record: serviceuser.Path(t.TempDir() + "/keys.json")} // and API-M has no key manager, so one request is all
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	var b bootstrap.RoleBinder
	turn := func(requests int, want bool, lines int, unusable error) {
		t.Helper()
		before := f.gets
		ok, message := b.Turn(t.Context(), log, &http.Client{Transport: f}, s, unusable)
		if n := f.gets - before; n != requests || ok != want || message == "" || strings.Count(out.String(), "level=") != lines {
			t.Errorf("%d requests, %v, %s, log:\n%s", n, ok, message, out.String())
		}
	}
	turn(1, true, 0, nil)
	turn(0, false, 0, errors.New("no pin"))
	turn(1, true, 0, nil)
	f.intercept = func(*http.Request) (int, string) { return 503, "" }
	turn(1, false, 0, nil)
	turn(1, false, 1, nil)
	turn(1, false, 1, nil)
	f.intercept = nil
	turn(1, true, 2, nil)
	turn(1, true, 2, nil)
}
