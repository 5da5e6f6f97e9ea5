#include "provider.hpp"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

/// OpenCV: its Gaussian blur alone, plane by plane, and with the mixing of x⁺ and x⁻.
void bench::add_opencv(providers& list, batch<float>& b) {
  if (b.what.loss != loss::blur_pair) return;
  workload const& w = b.what;
  cv::setNumThreads(1);
  int const height = int(w.length), width = int(w.classes), size = 2 * int(4 * w.sigma + 0.5) + 1;
  auto const plane = [height, width](float const* data, index k) {
    return cv::Mat(height, width, CV_32F, const_cast<float*>(data) + k * height * width);
  };
  auto const blur = [size, sigma = w.sigma](cv::Mat const& x, cv::Mat a) {
    cv::GaussianBlur(x, a, {size, size}, sigma, sigma, cv::BORDER_REFLECT_101);
  };
  list.push_back({.name = "OpenCV blur alone",
                  .run =
                      [&b, plane, blur](std::size_t s) {
                        auto const& t = b.sets[s];
                        for (index k = 0; k < t.inputs[0].rows; ++k)
                          blur(plane(t.inputs[0].data, k), plane(t.outputs[2].data, k));
                      },
                  .outputs = {2}});
  list.push_back({.name = "OpenCV blur and pair", .run = [&b, plane, blur](std::size_t s) {
                    auto const& t = b.sets[s];
                    cv::Mat a(int(b.what.length), int(b.what.classes), CV_32F), difference;
                    for (index k = 0; k < t.inputs[0].rows; ++k) {
                      cv::Mat const x = plane(t.inputs[0].data, k),
                                    m = plane(t.inputs[1].data, k / b.what.channels);
                      cv::Mat plus = plane(t.outputs[0].data, k), minus = plane(t.outputs[1].data, k);
                      blur(x, a);
                      cv::subtract(x, a, difference);
                      cv::multiply(m, difference, difference);
                      cv::add(a, difference, plus);
                      cv::subtract(x, difference, minus);
                    }
                  }});
}
