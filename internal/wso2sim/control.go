package wso2sim

import (
	"encoding/json"
	"net/http"
	"time"
)

// Control is how tests and people change a server from outside, over plain HTTP on an address of its own:
//
//	GET | POST | DELETE /_wso2sim/faults         see Fault; DELETE also ends outage, certificate's fault, slow boot and wrong clock
//	DELETE              /_wso2sim/faults/{id}
//	PUT                 /_wso2sim/outage         {"on": true}
//	PUT                 /_wso2sim/certificate    {"kind": "expired" | "swapped" | ""}
//	PUT                 /_wso2sim/boot           {"delay": "30s"}, for the next starts
//	PUT                 /_wso2sim/clock          {"ahead": "5m"}, or behind if it is negative
//	POST                /_wso2sim/crash
//	GET | DELETE        /_wso2sim/requests       GET …/counts for numbers by operation
//	GET | PUT           /_wso2sim/state          all that the server keeps, with secrets and tokens
//
// Everybody who reaches it may do all of that: it belongs on a loopback address or a network of tests.
func (i *Instance) Control() http.Handler {
	mux := http.NewServeMux()
	i.faultRoutes(mux)
	mux.HandleFunc("GET /_wso2sim/requests", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, orEmpty(i.Requests().List()))
	})
	mux.HandleFunc("GET /_wso2sim/requests/counts", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, i.Requests().Counts())
	})
	mux.HandleFunc("DELETE /_wso2sim/requests", func(w http.ResponseWriter, _ *http.Request) {
		i.Requests().Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /_wso2sim/state", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := i.Server().SaveState(w); err != nil {
			refuseControl(w, http.StatusInternalServerError, err)
		}
	})
	mux.HandleFunc("PUT /_wso2sim/state", func(w http.ResponseWriter, r *http.Request) {
		answerControl(w, i.Server().LoadState(r.Body))
	})
	mux.HandleFunc("POST /_wso2sim/crash", func(w http.ResponseWriter, _ *http.Request) {
		i.Server().(interface{ crash() }).crash()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func (i *Instance) faultRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /_wso2sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, i.Faults().List())
	})
	mux.HandleFunc("POST /_wso2sim/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		if !readControl(w, r, &f) {
			return
		}
		id, err := i.Faults().Add(f)
		if err != nil {
			refuseControl(w, http.StatusBadRequest, err)
			return
		}
		writeJSON(w, http.StatusCreated, object{"id": id})
	})
	mux.HandleFunc("DELETE /_wso2sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		i.Faults().Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /_wso2sim/faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !i.Faults().Remove(r.PathValue("id")) {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("PUT /_wso2sim/outage", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ On bool }
		if readControl(w, r, &body) {
			i.Faults().SetOutage(body.On)
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("PUT /_wso2sim/certificate", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Kind CertificateFault }
		if readControl(w, r, &body) {
			answerControl(w, i.Faults().SetCertificate(body.Kind))
		}
	})
	mux.HandleFunc("PUT /_wso2sim/clock", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Ahead Duration }
		if readControl(w, r, &body) {
			i.Faults().SetClock(time.Duration(body.Ahead))
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("PUT /_wso2sim/boot", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Delay Duration }
		if readControl(w, r, &body) {
			i.Faults().SetBootDelay(time.Duration(body.Delay))
			w.WriteHeader(http.StatusNoContent)
		}
	})
}

// readControl reads a body strictly, and answers for itself where that fails.
func readControl(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		refuseControl(w, http.StatusBadRequest, err)
		return false
	}
	return true
}

func answerControl(w http.ResponseWriter, err error) {
	if err != nil {
		refuseControl(w, http.StatusBadRequest, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func refuseControl(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, object{"error": err.Error()})
}
