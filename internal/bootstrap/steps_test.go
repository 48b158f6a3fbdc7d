package bootstrap

import (
	"errors"
	"fmt"
	"testing"

	"wso2agent/internal/wso2"
)

func TestAMarkDecidesOverTheAnswer(t *testing.T) {
	refused := &wso2.Error{Status: 400}
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"a refused request", refused, true},
		{"marked as passing", transient(refused), false},
		{"marked as passing, then wrapped", fmt.Errorf("x: %w", transient(refused)), false},
		{"an unknown error", errors.New("x"), false},
		{"marked for good", Permanent(errors.New("x")), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := isPermanent(tt.err); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
