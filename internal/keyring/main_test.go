package keyring_test

import (
	"testing"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/testenv"
)

func TestMain(m *testing.M) {
	keyring.SharedData = testenv.SharedData
	testenv.Main(m)
}
