//go:build kubernetes

package kubernetes

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// killedSidecars kills both sidecars again and again, while a prober connects to both servers through their Services: nobody is
// refused, although the pods are not ready for as long as kubelet's back-off lasts. It doubles from 10 s up to 5 minutes, so ten
// kills (SIDECAR_KILLS=10) take half an hour, and the three of every run half a minute.
func killedSidecars(w *world) (kills int) {
	kills = 3
	if n, err := strconv.Atoi(os.Getenv("SIDECAR_KILLS")); err == nil {
		kills = n
	}
	callers := strings.Replace(prober, "wso2am:9443=wso2is", "gateway:8243=wso2is", 1)
	if out, err := run(callers, "apply", "-f", "-"); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	defer w.must("delete", "pod", "prober")
	w.eventually(time.Minute, "the prober is served", func() bool { done, _, _ := w.handshakes(); return done > 0 })
	_, failed, down := w.handshakes()
	pods := []string{"wso2is-0", "wso2am-0"}
	turned := func(pod string) string { // when it became ready or ceased to be
		return w.must("get", "pod", pod, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].lastTransitionTime}`)
	}
	before := map[string]string{}
	for _, pod := range pods {
		before[pod] = turned(pod)
	}
	for n := 1; n <= kills; n++ {
		for _, pod := range pods {
			w.strike(pod, "agent")
		}
		w.eventually(6*time.Minute, fmt.Sprintf("both sidecars run again after kill %d", n), func() bool {
			counts := w.restarts()
			return counts["wso2is-0/agent"] == n && counts["wso2am-0/agent"] == n
		})
	}
	w.ready("wso2is", "wso2am")
	w.proved()
	for _, pod := range pods {
		if turned(pod) == before[pod] {
			w.t.Errorf("%s was ready all the time, so this shows nothing", pod)
		}
	}
	done, failedSince, downSince := w.handshakes()
	w.t.Logf("%d kills of each sidecar, %d connections served, %d refused", kills, done, downSince-down)
	if downSince != down || failedSince != failed {
		w.t.Errorf("%d connections were refused and %d failed", downSince-down, failedSince-failed)
	}
	return kills
}
