package wso2sim

import "testing"

// TestKeysThatAPIMDoesNotShow: a key manager that refuses to give a client back hides its key, and one that does not answer fails the
// request, after five tries.
func TestKeysThatAPIMDoesNotShow(t *testing.T) {
	p := working(t)
	km, app := p.keyManager("IS"), p.application("App")
	made := p.generate(app, km).want(t, 200)
	keys := p.devportal("/applications/" + app + "/oauth-keys")
	one := keys + "/" + made.str("keyMappingId")
	for _, tc := range []struct {
		name   string
		fault  Fault
		status int     // of the list of keys
		count  float64 // of its keys
	}{
		{"IS refuses the client", Fault{Kind: FaultStatus, Status: 403}, 200, 0},
		{"IS is not ready", Fault{Kind: FaultStatus, Status: 503}, 200, 0},
		{"IS answers at the fifth try", Fault{Kind: FaultReset, Count: retrieveTries - 1}, 200, 1},
		{"IS does not answer", Fault{Kind: FaultReset}, 500, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.fault.Method, tc.fault.Path = "GET", registerPath+"/*"
			if _, err := p.is.faults.Add(tc.fault); err != nil {
				t.Fatal(err)
			}
			defer p.is.faults.Clear()
			list := send(t, "GET", keys, admin, nil)
			if tc.status == 500 {
				list.wantCode(t, 500, 500)
				send(t, "GET", one, admin, nil).wantCode(t, 500, 500)
				return
			}
			if list.want(t, 200).at("count") != tc.count {
				t.Errorf("the list is %s", list.text)
			}
			if shown := send(t, "GET", one, admin, nil).want(t, 200); tc.count == 0 && shown.text != "" {
				t.Errorf("the key is %s", shown.text)
			}
			p.generate(app, km).wantCode(t, 409, 901409) // hidden or not, it is there
		})
	}
	if list := send(t, "GET", keys, admin, nil).want(t, 200); list.str("list", 0, "consumerKey") != made.str("consumerKey") {
		t.Errorf("afterwards the list is %s", list.text)
	}
}
