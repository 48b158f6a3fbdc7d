package wso2sim

import (
	"testing"
	"time"
)

// Two clients of one application: the one removes the row while the other's keys are made.
func TestKeysWhoseRowIsRemovedMeanwhileHaveNoID(t *testing.T) {
	p := working(t)
	km, app := p.keyManager("IS"), p.application("Shared")
	keys := p.devportal("/applications/" + app + "/oauth-keys")
	p.is.mu.Lock() // it answers nobody
	made := make(chan reply, 1)
	go func() { made <- p.generate(app, km) }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		list := send(t, "GET", keys, admin, nil).want(t, 200)
		if list.at("count") == 1.0 {
			send(t, "POST", keys+"/"+list.str("list", 0, "keyMappingId")+"/clean-up", admin, nil).want(t, 200)
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no row")
		}
	}
	p.is.mu.Unlock()
	if got := (<-made).want(t, 200); got.at("keyMappingId") != nil || got.str("consumerKey") == "" {
		t.Errorf("got %s", got.text)
	}
}

func TestDeletingKeysWithoutAnIDIsNotAllowed(t *testing.T) {
	p := newPair(t)
	p.wrap = nil // the specification has no such operation
	p.startAM()
	send(t, "DELETE", p.devportal("/applications/"+p.application("App")+"/oauth-keys/"), admin, nil).want(t, 405)
}
