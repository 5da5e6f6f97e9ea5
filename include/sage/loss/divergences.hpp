#pragma once
/// All divergences for consistency_loss, binary_consistency_loss and the degradation checks.

#include <sage/formula/generalized_jensen_shannon.hpp>
#include <sage/formula/jeffreys.hpp>
#include <sage/formula/jensen_shannon.hpp>
#include <sage/formula/kullback_leibler.hpp>
#include <sage/formula/reverse_kullback_leibler.hpp>
#include <sage/formula/skewed_jensen_shannon.hpp>
#include <sage/formula/soft_cross_entropy.hpp>
#include <sage/formula/squared_error.hpp>
#include <sage/formula/squared_hellinger.hpp>
#include <sage/formula/total_variation.hpp>
