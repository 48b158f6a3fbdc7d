package bootstrap_test

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
)

func TestWhichOfTwoKeyManagersStays(t *testing.T) {
	const a, b, c = "a", "b", "c"
	km := func(id string, used bool) wso2.KeyManagerInfo {
		return wso2.KeyManagerInfo{ID: id, Name: "WSO2-IS", Used: used}
	}
	other := wso2.KeyManagerInfo{ID: "0", Name: "Other", Used: true}
	tests := []struct {
		name string
		list []wso2.KeyManagerInfo
		want string
	}{
		{"the smaller id", []wso2.KeyManagerInfo{km(b, false), other, km(a, false)}, "ab"},
		{"the one in use", []wso2.KeyManagerInfo{km(a, false), km(b, true), km(c, false)}, "bac"},
		{"the smaller id of those in use", []wso2.KeyManagerInfo{km(c, true), km(a, false), km(b, true)}, "bca"},
		{"none", []wso2.KeyManagerInfo{other}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for _, km := range bootstrap.KeeperFirst(tt.list, "WSO2-IS") {
				got += km.ID
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestTheDuplicateOfAKeyManagerIsDeleted(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(f *fake, twin object)
		stays   string // "first", or the twin's id
		fails   string
	}{
		{"the one in use stays", func(*fake, object) {}, "first", ""},
		{"the one in use stays, though the other has the smaller id", func(_ *fake, twin object) { twin["id"] = "a-smaller-id" }, "first", ""},
		{"of two that nothing uses the one with the smaller id", func(f *fake, twin object) {
			twin["id"] = "a-smaller-id"
			f.rows, f.clients = map[string][]object{}, map[string]string{}
		}, "a-smaller-id", ""},
		{"both in use: a person has to help", func(f *fake, twin object) {
			f.rows["another application"] = []object{{"keyMappingId": "x", "of": twin["id"], "keyManager": "WSO2-IS"}}
		}, "", "applications have keys of both"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				mustPass(t, f, testSettings, usable)
				first := find(f.kms, "name", "WSO2-IS")
				twin := maps.Clone(first)
				twin["id"] = "z-twin"
				tt.prepare(f, twin)
				f.kmReady[twin["id"].(string)] = time.Now()
				f.kms = append([]object{twin}, f.kms...)
				_, log, err := pass(t, f, testSettings, usable)
				if tt.fails != "" {
					if !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), tt.fails) {
						t.Errorf("got %v", err)
					}
					return
				}
				want := tt.stays
				if want == "first" {
					want = first["id"].(string)
				}
				if err != nil || len(f.kms) != 2 || find(f.kms, "id", want) == nil || !strings.Contains(log, "which was made twice") {
					t.Errorf("%v, key managers %v\n%s", err, f.kms, log)
				}
				if mustPass(t, f, testSettings, usable); len(f.log) > 0 {
					t.Errorf("the run after it: %q", f.log)
				}
			})
		})
	}
}

// The other run deletes the key manager that this run has made, after this run has found no second one.
func TestARunUsesTheKeyManagerOfAnotherRunThatHasDeletedItsOwn(t *testing.T) {
	for _, when := range []string{"before its proof", "before the application's keys"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				swapped := false
				f.intercept = func(r *http.Request) (int, string) {
					proof := len(f.subs) == 0
					if strings.HasSuffix(r.URL.Path, "/generate-keys") && !swapped && proof == (when == "before its proof") {
						swapped = true
						find(f.kms, "name", "WSO2-IS")["id"] = "of-the-other-run"
						f.kmReady["of-the-other-run"] = time.Now()
					}
					return 0, ""
				}
				result := mustPass(t, f, testSettings, usable)
				if len(f.kms) != 2 || !swapped || result.ConsumerKey == "" {
					t.Errorf("key managers %v, %+v", f.kms, result)
				}
			})
		})
	}
}

func TestARunLooksAgainForAKeyManagerThatIsDeletedBetweenListAndRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		mustPass(t, f, testSettings, usable)
		id, gone := find(f.kms, "name", "WSO2-IS")["id"].(string), false
		f.intercept = func(r *http.Request) (int, string) {
			if strings.HasSuffix(r.URL.Path, "/key-managers/"+id) && !gone {
				gone = true
				find(f.kms, "id", id)["id"] = "of-the-other-run"
				f.kmReady["of-the-other-run"] = time.Now()
			}
			return 0, ""
		}
		if _, log, err := pass(t, f, testSettings, usable); err != nil || !gone {
			t.Errorf("%v\n%s", err, log)
		}
	})
}

func TestOnlyOldProbesOfOtherRunsAreDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		probe := func(name string, age time.Duration) object {
			made := time.Now().Add(-age).UnixMilli()
			return object{"name": name, "applicationId": name, "owner": "admin", "status": "APPROVED", "description": "proves a key manager; removed again", "createdTime": strconv.FormatInt(made, 10)}
		}
		f.apps = append(f.apps, probe(bootstrap.ProbeApplication+"-other", time.Minute), probe(bootstrap.ProbeApplication+"-dead", time.Hour), probe(bootstrap.ProbeApplication+"-mine", time.Second))
		person := probe(bootstrap.ProbeApplication+"-of-a-person", time.Hour)
		person["description"] = "something else"
		f.apps = append(f.apps, person)
		s := testSettings
		s.Owner = "mine"
		mustPass(t, f, s, usable)
		left := []string{}
		for _, app := range f.apps {
			left = append(left, app["name"].(string))
		}
		if got := strings.Join(left, " "); got != "wso2agent-probe-other wso2agent-probe-of-a-person App" {
			t.Errorf("left: %s", got)
		}
	})
}

func TestARunWaitsForKeysThatAnotherRunIsMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		asked := 0
		var begun time.Time
		f.intercept = func(r *http.Request) (int, string) {
			if len(f.subs) == 0 {
				return 0, ""
			}
			app := find(f.apps, "name", "App")["applicationId"].(string)
			if asked > 0 && time.Since(begun) > 2*time.Second {
				f.rows[app][0]["consumerKey"], f.rows[app][0]["consumerSecret"] = "their-key", "the-secret"
			}
			if !strings.HasSuffix(r.URL.Path, "/generate-keys") {
				return 0, ""
			}
			if asked++; asked == 1 {
				f.rows[app] = []object{{"keyManager": "WSO2-IS", "keyType": "PRODUCTION", "keyMappingId": "theirs", "consumerKey": nil}}
				begun = time.Now()
			}
			return 0, ""
		}
		if result := mustPass(t, f, testSettings, usable); result.ConsumerKey != "their-key" {
			t.Errorf("result %+v, rows %v", result, f.rows)
		}
	})
}

func TestARunReadsKeysWithoutAnIDAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		lost := map[bool]int{} // for the proof and for the application
		f.intercept = func(r *http.Request) (int, string) {
			if strings.HasSuffix(r.URL.Path, "/oauth-keys/") {
				t.Errorf("%s %s", r.Method, r.URL.Path)
			}
			if application := len(f.subs) > 0; strings.HasSuffix(r.URL.Path, "/generate-keys") && lost[application] < 2 {
				lost[application]++ // another run has removed the row meanwhile
				return 200, `{"keyMappingId":null,"consumerKey":"k","consumerSecret":"the-secret"}`
			}
			return 0, ""
		}
		if result := mustPass(t, f, testSettings, usable); result.ConsumerKey == "k" {
			t.Errorf("result %+v", result)
		}
	})
}

func TestAnAPIThatAnotherRunPublishesMeanwhileIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.intercept = func(r *http.Request) (int, string) {
			if strings.HasSuffix(r.URL.Path, "/change-lifecycle") {
				find(f.apis, "id", r.FormValue("apiId"))["lifeCycleStatus"] = "PUBLISHED" // and then refused
			}
			return 0, ""
		}
		mustPass(t, f, testSettings, usable)
	})
}
