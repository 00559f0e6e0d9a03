// Boost.Asio or standalone Asio, under one name, and what the version at hand has. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_ASIO_NET_HPP
#define LBTEST_ASIO_NET_HPP

#include <utility>  // Boost 1.74 forgets it where it uses std::exchange

#if defined(LB_BACKUP_USE_STANDALONE_ASIO)
#include <asio.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/experimental/deferred.hpp>
#define LBTEST_ASIO_VERSION ASIO_VERSION
namespace lbtest {
namespace net = ::asio;
using error_code = std::error_code;
using system_error = std::system_error;
using errc = std::errc;
inline constexpr auto deferred = net::experimental::deferred;
using net::experimental::as_tuple;
}  // namespace lbtest
#define LBTEST_DEFERRED
#else
#include <boost/asio.hpp>
#define LBTEST_ASIO_VERSION BOOST_ASIO_VERSION
namespace lbtest {
namespace net = ::boost::asio;
using error_code = boost::system::error_code;
using system_error = boost::system::system_error;
namespace errc = boost::system::errc;
#if BOOST_ASIO_VERSION >= 102400
#define LBTEST_DEFERRED
inline constexpr auto deferred = net::deferred;
using net::as_tuple;
#endif
}  // namespace lbtest
#endif

#if LBTEST_ASIO_VERSION >= 101900
#define LBTEST_CANCELLATION_SLOTS
#endif

#include <lb_backup_asio.hpp>

#endif
