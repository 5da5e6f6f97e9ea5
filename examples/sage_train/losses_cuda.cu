#include "losses.cpp"
