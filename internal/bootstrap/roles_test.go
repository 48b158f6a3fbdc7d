package bootstrap_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/serviceuser"
)

func TestRolesAreBoundEvery30SecondsAndAtEachTurnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := testSettings
		s.KMUser = bootstrap.ServiceUser{Record: serviceuser.Path(t.TempDir() + "/keys.json")} // and API-M has no key manager, so one request is all
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		var b bootstrap.RoleBinder
		turn := func() (requests int, err error) {
			before := f.gets
			err = b.Turn(t.Context(), log, &http.Client{Transport: f}, s)
			return f.gets - before, err
		}
		expect := func(requests int, ok bool, lines int) {
			t.Helper()
			n, err := turn()
			if n != requests || (err == nil) != ok || strings.Count(out.String(), "level=") != lines {
				t.Errorf("%d requests, error %v, log:\n%s", n, err, out.String())
			}
		}
		expect(1, true, 0)
		time.Sleep(29 * time.Second)
		expect(0, true, 0)
		time.Sleep(time.Second)
		expect(1, true, 0)
		time.Sleep(30 * time.Second)
		f.intercept = func(*http.Request) (int, string) { return 503, "" }
		expect(1, false, 0)
		expect(1, false, 1)
		expect(1, false, 1)
		f.intercept = nil
		expect(1, true, 2)
		expect(0, true, 2)
	})
}
