package apply

import (
	"fmt"
	"net/http"
	"slices"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// moved marks the answers of a server that has other objects than the plan says: one exists already, or is gone. An answer that got
// lost, or somebody else, is the cause. The next plan is right.
func moved(err error) error {
	if wso2.HasStatus(err, http.StatusConflict) || wso2.HasStatus(err, http.StatusNotFound) && wso2.IsPermanent(err) {
		return again(err)
	}
	return err
}

// missing returns the error of a change that needs an object that was not made.
func missing(kind, name string) error {
	return remedy.Add(fmt.Errorf("%w: %s %q", errNeeds, kind, name), "correct the error of that object first")
}

// explained marks an error for which the failure of an object of these kinds can be the reason.
func (r *round) explained(err error, kinds ...string) error {
	if err != nil && permanent(err) && r.all.failed(func(c plan.Change) bool { return slices.Contains(kinds, c.Kind) }) {
		return marked{err, errNeeds}
	}
	return err
}

// secretsOf returns the passwords that a request has, so that no error repeats them.
func secretsOf(passwords ...desired.Password) (secrets []wso2.Secret) {
	for _, p := range passwords {
		if text := p.Value.Reveal(); text != "" {
			secrets = append(secrets, wso2.Secret(text))
		}
	}
	return secrets
}
