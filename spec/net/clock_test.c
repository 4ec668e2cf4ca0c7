/* clock_test.c */
#include "unit.h"
TEST(x){}
