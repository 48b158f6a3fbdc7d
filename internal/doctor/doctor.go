// Package doctor recognizes known troubles of IS and API-M from outside, from the files of the own server and from the servers' log
// files. It reads everything once ([Reader]), decides purely ([Diagnose]), and names for each trouble the remedy, the evidence and, if
// the agent can repair it safely, the fix. It changes nothing.
//
// The troubles are rows of one table, see [Troubles].
package doctor

// Verdict says how far the evidence carries.
type Verdict string

// The verdicts.
const (
	Sure   Verdict = "sure"   // nothing else explains the evidence
	Likely Verdict = "likely" // it is the usual reason for the evidence
)

// Fix is a way in which the agent can repair a trouble. Its value is the name that people see.
type Fix string

// The fixes. Each one does what another command of the agent does, and changes nothing on a system that does not need it.
const (
	ByHand        Fix = ""
	FixKeyManager Fix = "key-manager" // registers the key manager, or changes the fields that differ, as agent apply does
	FixScopes     Fix = "scopes"      // authorizes applications for scopes, as agent scopes sync does
	FixTrust      Fix = "trust"       // does what the sidecar of the own server does: imports certificates, requests a restart
)

// Trouble is a row of the table: one trouble that the doctor knows.
type Trouble struct {
	ID      string // the part and the trouble, such as km.disabled; it does not change
	Name    string // what is wrong, as a sentence without a full stop
	Symptom string // what people see of it
	Remedy  string // what a person does about it
	Fix     Fix
	// Explains are the checks of agent verify that fail because of the trouble, by their ids. The doctor looks at the state of things, and
	// those checks try what depends on it.
	Explains []string
	find     func(f *Facts) finding
}

// finding is what one row finds in the facts. Without evidence there is no such trouble.
type finding struct {
	verdict  Verdict
	evidence []string
}

// sure and likely return a finding with evidence; none if there is no evidence.
func sure(evidence ...string) finding   { return finding{Sure, evidence} }
func likely(evidence ...string) finding { return finding{Likely, evidence} }

// Diagnosis is a trouble that was found.
type Diagnosis struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Verdict  Verdict  `json:"verdict"`
	Evidence []string `json:"evidence"` // at least one; never a secret
	Remedy   string   `json:"remedy"`
	Fix      Fix      `json:"fix,omitempty"`
	Explains []string `json:"explains,omitempty"` // checks of agent verify that fail because of it
}

// evidenceLimit is the most evidence that a diagnosis shows.
const evidenceLimit = 5

// Diagnose returns the troubles in the facts, in the order of the table.
func Diagnose(f Facts) []Diagnosis {
	list := []Diagnosis{}
	for _, t := range Troubles() {
		found := t.find(&f)
		if len(found.evidence) == 0 {
			continue
		}
		d := Diagnosis{t.ID, t.Name, found.verdict, found.evidence, t.Remedy, t.Fix, t.Explains}
		if more := len(d.Evidence) - evidenceLimit; more > 0 {
			d.Evidence = append(d.Evidence[:evidenceLimit:evidenceLimit], plural(more, "more", "more"))
		}
		if t.Fix == FixKeyManager && f.KeyManagers.Unfixable != "" {
			d.Fix, d.Remedy = ByHand, d.Remedy+". The agent does not repair it here: "+f.KeyManagers.Unfixable
		}
		if t.Fix == FixTrust && !f.Volume.Writable {
			d.Fix = ByHand
		}
		list = append(list, d)
	}
	return list
}

// Fixes returns the fixes that the diagnoses name, each once, in the order in which they belong: trust comes first, because no server
// reaches the other one without it.
func Fixes(found []Diagnosis) (fixes []Fix) {
	for _, fix := range []Fix{FixTrust, FixKeyManager, FixScopes} {
		for _, d := range found {
			if d.Fix == fix {
				fixes = append(fixes, fix)
				break
			}
		}
	}
	return fixes
}
