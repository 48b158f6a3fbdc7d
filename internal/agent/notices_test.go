package agent

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	"wso2agent/internal/telemetry"
)

func TestAnOutageOfAPIMIsCountedAndOneOfISIsNot(t *testing.T) {
	p := newPlace(t)
	for product, want := range map[string]string{config.AM: gapsMetric + " 1\n", config.IS: ""} {
		k := trustKeeper{health: telemetry.NewHealth(time.Hour)}
		for n, serves := range []notify.Serves{notify.ServesNow, notify.ServesNot, notify.ServesNow} {
			k.tellGap(p.agent(product), notify.Started{PID: 1 + n/2, Since: time.Now(), Starts: 1 + n/2, Serves: serves})
		}
		w := httptest.NewRecorder()
		k.health.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if metrics := w.Body.String(); !strings.Contains(metrics, want) || want == "" && strings.Contains(metrics, gapsMetric) {
			t.Errorf("%s: %s", product, metrics)
		}
	}
	if n := strings.Count(p.log.String(), "API-M did not serve"); n != 1 {
		t.Errorf("told %d times:\n%s", n, p.log)
	}
}
