package bootstrap

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// Several runs at once, on several machines: each makes what it misses, and API-M does not always keep two from making the
// same. What was made twice is found afterwards, and every run comes to the same verdict about which one stays.

// keeperFirst returns the key managers of one name, the one that stays first: one that is in use, or else the one with the
// smallest id.
func keeperFirst(list []wso2.KeyManagerInfo, name string) []wso2.KeyManagerInfo {
	same := slices.DeleteFunc(slices.Clone(list), func(km wso2.KeyManagerInfo) bool { return km.Name != name })
	slices.SortFunc(same, func(a, b wso2.KeyManagerInfo) int {
		switch {
		case a.Used == b.Used:
			return cmp.Compare(a.ID, b.ID)
		case a.Used:
			return -1
		}
		return 1
	})
	return same
}

// takeKeyManager finds the key manager of our name in a list, and deletes its duplicates; found is false where there is none.
func (r *run) takeKeyManager(ctx context.Context, list []wso2.KeyManagerInfo) (found bool, err error) {
	same := keeperFirst(list, r.KMName)
	if len(same) == 0 {
		return false, nil
	}
	keeper := same[0].ID
	for _, other := range same[1:] {
		if keeper, err = r.dropKeyManager(ctx, keeper, other.ID); err != nil {
			return false, err
		}
	}
	if keeper != r.km.id {
		r.km = keyManager{issuer: r.km.issuer, id: keeper, changed: r.km.changed || len(same) > 1}
	}
	return true, nil
}

// dropKeyManager deletes one of two key managers with our name, and returns the id of the one that stays. If other has come
// into use since it was listed, it stays in place of keeper.
func (r *run) dropKeyManager(ctx context.Context, keeper, other string) (stays string, err error) {
	for range 2 {
		err = r.change(fmt.Sprintf("deleted key manager %s %s, which was made twice", r.KMName, other), func() error {
			return orGone(r.Admin.DeleteKeyManager(ctx, other))
		})
		if !wso2.HasCode(err, wso2.CodeKeyManagerInUse) {
			return keeper, err
		}
		keeper, other = other, keeper
	}
	return "", permanent(remedy.Add(fmt.Errorf("API-M has two key managers %s, %s and %s, and applications have keys of both: its gateway mixes up their tokens", r.KMName, keeper, other),
		"delete the keys of one of them in the DevPortal, and run again"))
}

// orDeleted: a key manager that was in the list and is not there now will not be in the next list. Another run has deleted it as
// a duplicate.
func orDeleted(err error) error {
	if wso2.HasCode(err, wso2.CodeKeyManagerGone) {
		return transient(err)
	}
	return err
}

// orGone: what is to go is gone. Another run was faster.
func orGone(err error) error {
	if wso2.HasStatus(err, http.StatusNotFound) && wso2.IsPermanent(err) {
		return nil
	}
	return err
}
