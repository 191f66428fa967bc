package redisskew

import (
	"testing"

	"roost/server/testredis"
)

func TestMain(m *testing.M) { testredis.Main(m) }
